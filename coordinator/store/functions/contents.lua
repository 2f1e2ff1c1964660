
-- Contents: who offers, wants and holds them.

local HOLDERS_MAX = 1024 -- of one content

-- c:{R}:meta c:{R}:h c:{R}:b; now_s count.  {size, ids, "have/count bitmap"
-- or false for each}, those heard last first
local function content_holders(keys, args)
    local size = redis.call('HGET', keys[1], 'size')
    local ids = redis.call('ZRANGE', keys[2], '+inf', '(' .. args[1],
        'BYSCORE', 'REV', 'LIMIT', 0, args[2])
    local partial = {}
    if #ids > 0 then
        partial = redis.call('HMGET', keys[3], unpack(ids))
    end
    return {size, ids, partial}
end

-- c:{R}:meta c:{R}:s; site iss sub size now_s until_s life_s.  It is the first
-- site's, while that renews it.
local function content_put(keys, args)
    redis.call('ZADD', keys[2], args[6], args[1])
    redis.call('EXPIRE', keys[2], args[7])
    local known = redis.call('HMGET', keys[1], 'iss', 'until')
    if known[1] and known[1] ~= args[2]
        and tonumber(known[2] or '0') > tonumber(args[5]) then
        return 0
    end
    redis.call('HSET', keys[1], 'iss', args[2], 'sub', args[3], 'size',
        args[4], 'until', args[6])
    return redis.call('EXPIRE', keys[1], args[7])
end

-- c:{R}:meta c:{R}:s c:{R}:h c:{R}:b; site iss now_s.  The site offers it no
-- more; if none does, nothing is known of it.
local function content_gone(keys, args)
    redis.call('ZREM', keys[2], args[1])
    redis.call('ZREMRANGEBYSCORE', keys[2], '-inf', args[3])
    if redis.call('EXISTS', keys[2]) == 0 then
        return redis.call('DEL', unpack(keys))
    end
    if redis.call('HGET', keys[1], 'iss') == args[2] then
        redis.call('HSET', keys[1], 'until', 0)
    end
    return 0
end

-- Whether any site wants the node to hold it.
local function is_wanted(key, now_s)
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now_s)
    return redis.call('EXISTS', key) == 1
end

-- c:{R}:w:N c:{R}:h c:{R}:b r:{N}.  1 if it was a holder, else 0.
local function node_release(keys, root, id)
    if redis.call('SCARD', keys[4]) < ASSIGNED_MAX then
        redis.call('SADD', keys[4], root)
    end
    redis.call('EXPIRE', keys[4], KEYS_LIFE_S)
    redis.call('HDEL', keys[3], id)
    return redis.call('ZREM', keys[2], id)
end

-- c:{R}:w:N a:{N} ad:{N} r:{N}; root site json tell now_ms life_s.  The site
-- wants the node to hold it for so long; told if that is new, or tell is 1.
-- 1: there is an assignment.
local function content_want(keys, args)
    local root, site, life = args[1], args[2], tonumber(args[6])
    local now = math.floor(tonumber(args[5]) / 1000)
    redis.call('ZREMRANGEBYSCORE', keys[1], '-inf', now)
    local new = redis.call('ZADD', keys[1], now + life, site) == 1
    redis.call('EXPIRE', keys[1], life)
    if not new and args[4] ~= '1' then
        return 0
    end
    redis.call('SREM', keys[4], root)
    assignment_put({keys[2], keys[3]}, root, site, args[3], args[5])
    return 1
end

-- c:{R}:w:N c:{R}:h c:{R}:b r:{N} a:{N} ad:{N}; root site id now_s.  The site
-- wants it no more; if none does, it is released.  1: it is a holder less.
local function content_unwant(keys, args)
    local root, site = args[1], args[2]
    redis.call('ZREM', keys[1], site)
    local text = redis.call('HGET', keys[6], root)
    if text then
        assignment_filter({keys[5], keys[6]}, root, text, function(other)
            return other ~= site
        end)
    end
    if is_wanted(keys[1], args[4]) then
        return 0
    end
    return node_release(keys, root, args[3])
end

-- c:{R}:w:N c:{R}:h c:{R}:b r:{N} c:{R}:meta; root id now_s life_s bitmap
-- ('' = complete).  What no site offers, or wants it to hold, is released,
-- again each time that it is listed.  0: so it is, or there are too many; 1:
-- renewed; 2: something else than before.
local function content_hold(keys, args)
    local id, now, life = args[2], tonumber(args[3]), tonumber(args[4])
    if redis.call('EXISTS', keys[5]) == 0 or not is_wanted(keys[1], now) then
        return 2 * node_release(keys, args[1], id)
    end
    for _, old in ipairs(redis.call('ZRANGE', keys[2], '-inf', now, 'BYSCORE',
        'LIMIT', 0, 4)) do
        redis.call('ZREM', keys[2], old)
        redis.call('HDEL', keys[3], old)
    end
    local new = not redis.call('ZSCORE', keys[2], id)
    if new and redis.call('ZCARD', keys[2]) >= HOLDERS_MAX then
        return 0
    end
    redis.call('ZADD', keys[2], now + life, id)
    redis.call('EXPIRE', keys[2], life)
    local turned
    if args[5] == '' then
        turned = redis.call('HDEL', keys[3], id)
    else
        turned = redis.call('HSET', keys[3], id, args[5])
        redis.call('EXPIRE', keys[3], life)
    end
    return (new or turned == 1) and 2 or 1
end

redis.register_function('ol_content_holders', content_holders)
redis.register_function('ol_content_put', content_put)
redis.register_function('ol_content_gone', content_gone)
redis.register_function('ol_content_want', content_want)
redis.register_function('ol_content_unwant', content_unwant)
redis.register_function('ol_content_hold', content_hold)
