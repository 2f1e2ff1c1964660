#!lua name=offload

-- What must be atomic: registration, sequence numbers, holdings, leases.
-- Loaded by store_link.c at each connect if the library in Redis is older than
-- VERSION: raise it with every change here.  Keys are described in store.h.
-- Every function runs in constant time, or logarithmic in one key's size, for
-- each item that it is given, returns or finds expired.

local VERSION = 4

-- Results: 0 or above is good, these are refusals.
local STALE, TAKEN, UNKNOWN, FULL = -1, -2, -3, -4

local NODE_NUMBER_MAX = 16777215
local NODE_LIFE_S = 90 * 86400 -- a node that never comes back is forgotten
local URL_LIFE_S = 86400       -- then another node may have its URL
local HOLDERS_MAX = 1024       -- of one content
local ASSIGNED_MAX = 4096      -- to one node and not acknowledged; releases
local ASSIGNING_MAX = 8        -- sites at a time, of one content to one node
local KEYS_LIFE_S = 3600       -- of a:{N}, ad:{N} and r:{N}

local function version()
    return VERSION
end

-- Stores seq if it is above the last one.  {0, seq} or {STALE, last}.
local function seq_advance(key, seq)
    local last = tonumber(redis.call('HGET', key, 'seq') or '0')
    if tonumber(seq) <= last then
        return {STALE, last}
    end
    redis.call('HSET', key, 'seq', seq)
    return {0, tonumber(seq)}
end

-- Before the call-back: key:{N} u:{U}; id seq.  Keeps nothing of strangers.
local function node_check(keys, args)
    local owner = redis.call('GET', keys[2])
    if owner and owner ~= args[1] then
        return {TAKEN, 0}
    end
    if redis.call('EXISTS', keys[1]) == 0 then
        return {0, 0}
    end
    return seq_advance(keys[1], args[2])
end

-- After the call-back: key:{N} u:{U} node-number; id seq, then fields and
-- values.  {0, number}
local function node_register(keys, args)
    local owner = redis.call('GET', keys[2])
    if owner and owner ~= args[1] then
        return {TAKEN, 0}
    end
    local known = redis.call('HMGET', keys[1], 'seq', 'n', 'u')
    if known[1] and tonumber(args[2]) < tonumber(known[1]) then
        return {STALE, tonumber(known[1])}
    end
    local number = tonumber(known[2] or redis.call('INCR', keys[3]))
    if number > NODE_NUMBER_MAX then
        return {FULL, 0}
    end
    if known[3] and known[3] ~= keys[2]
        and redis.call('GET', known[3]) == args[1] then
        redis.call('DEL', known[3])
    end
    redis.call('SET', keys[2], args[1], 'EX', URL_LIFE_S)
    redis.call('HSET', keys[1], 'n', number, 'u', keys[2], 'seq', args[2],
        unpack(args, 3))
    redis.call('EXPIRE', keys[1], NODE_LIFE_S)
    return {0, number}
end

-- key:{N} node:{N}; seq life_ms, then fields and values of the load.
local function node_beat(keys, args)
    if redis.call('EXISTS', keys[1]) == 0 then
        return {UNKNOWN, 0}
    end
    local result = seq_advance(keys[1], args[1])
    if result[1] == 0 then
        redis.call('HSET', keys[2], unpack(args, 3))
        redis.call('PEXPIRE', keys[2], args[2])
    end
    return result
end

-- key:{N} node:{N}.  {key's fields, load, ms of life left}
local function node_load(keys)
    return {
        redis.call('HMGET', keys[1], 'n', 'key', 'url', 'zone', 'cidrs',
            'capacity', 'rate'),
        redis.call('HMGET', keys[2], 'rate', 'connections', 'free'),
        math.max(0, redis.call('PTTL', keys[2])),
    }
end

-- Assignments.  ad:{N} has for each root {S: "-json"}, "+json" once offered.

local function assignment_put(keys, root, site, json, due_ms)
    local all = cjson.decode(redis.call('HGET', keys[2], root) or '{}')
    local count = 0
    for _ in pairs(all) do
        count = count + 1
    end
    if count >= ASSIGNING_MAX and not all[site] then
        all[next(all)] = nil
    end
    all[site] = '-' .. json
    redis.call('ZADD', keys[1], due_ms, root)
    redis.call('HSET', keys[2], root, cjson.encode(all))
    if redis.call('ZCARD', keys[1]) > ASSIGNED_MAX then
        redis.call('HDEL', keys[2], redis.call('ZPOPMIN', keys[1])[1])
    end
    redis.call('EXPIRE', keys[1], KEYS_LIFE_S)
    redis.call('EXPIRE', keys[2], KEYS_LIFE_S)
end

-- Keeps those for which keep(site, text) holds.
local function assignment_filter(keys, root, text, keep)
    local kept, all = {}, cjson.decode(text)
    for site, json in pairs(all) do
        if keep(site, json) then
            kept[site] = json
        end
    end
    if next(kept) then
        redis.call('HSET', keys[2], root, cjson.encode(kept))
    else
        redis.call('HDEL', keys[2], root)
        redis.call('ZREM', keys[1], root)
    end
end

-- a:{N} ad:{N}; now_ms later_ms count.  The json of what is due, which is then
-- put off.
local function node_assigned(keys, args)
    local roots = redis.call('ZRANGE', keys[1], '-inf', args[1], 'BYSCORE',
        'LIMIT', 0, args[3])
    local list = {}
    for _, root in ipairs(roots) do
        local all = cjson.decode(redis.call('HGET', keys[2], root) or '{}')
        local whole = #list
        for site, json in pairs(all) do
            all[site] = '+' .. string.sub(json, 2)
            list[#list + 1] = string.sub(json, 2)
        end
        if #list > tonumber(args[3]) then
            return {unpack(list, 1, whole)}
        end
        if #list > whole then
            redis.call('HSET', keys[2], root, cjson.encode(all))
            redis.call('ZADD', keys[1], args[2], root)
        else
            redis.call('ZREM', keys[1], root)
        end
    end
    return list
end

-- a:{N} ad:{N}; roots.  What the node has not been offered stays.
local function node_settle(keys, args)
    for i, text in ipairs(redis.call('HMGET', keys[2], unpack(args))) do
        if text then
            assignment_filter(keys, args[i], text, function(_, json)
                return string.sub(json, 1, 1) == '-'
            end)
        end
    end
    return 1
end

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

-- site:{S} sites; S iss now_s.  1 if it is new, else 0.
local function site_put(keys, args)
    redis.call('HSETNX', keys[1], 'iss', args[2])
    redis.call('HSETNX', keys[1], 'seq', 0)
    redis.call('HSET', keys[1], 'seen', args[3])
    redis.call('ZADD', keys[2], 'NX', args[3], args[1])
    return redis.call('HSETNX', keys[1], 'joined', args[3])
end

-- site:{S}; fields and values.
local function site_synced(keys, args)
    if redis.call('EXISTS', keys[1]) == 1 then
        redis.call('HSET', keys[1], unpack(args))
    end
    return 1
end

-- site:{S} sites; S before_s.  1: it is not known (any more).
local function site_forget(keys, args)
    for _, at in ipairs(redis.call('HMGET', keys[1], 'joined', 'seen',
        'synced')) do
        if at and tonumber(at) >= tonumber(args[2]) then
            return 0
        end
    end
    redis.call('DEL', keys[1])
    redis.call('ZREM', keys[2], args[1])
    return 1
end

-- site:{S}; floor.  The next seq of the site's pusher, 0 for no such site.
local function site_seq(keys, args)
    local last = redis.call('HGET', keys[1], 'seq')
    if not last then
        return 0
    end
    local seq = math.max(tonumber(last) + 1, tonumber(args[1]))
    redis.call('HSET', keys[1], 'seq', string.format('%.0f', seq))
    return seq
end

-- lease:{S}; owner life_ms.  1: it is the owner's for that long, else 0.
local function lease_take(keys, args)
    local owner = redis.call('GET', keys[1])
    if owner and owner ~= args[1] then
        return 0
    end
    redis.call('SET', keys[1], args[1], 'PX', args[2])
    return 1
end

-- lease:{S}; owner
local function lease_drop(keys, args)
    if redis.call('GET', keys[1]) == args[1] then
        return redis.call('DEL', keys[1])
    end
    return 0
end

redis.register_function('ol_version', version)
redis.register_function('ol_node_check', node_check)
redis.register_function('ol_node_register', node_register)
redis.register_function('ol_node_beat', node_beat)
redis.register_function('ol_node_load', node_load)
redis.register_function('ol_node_assigned', node_assigned)
redis.register_function('ol_node_settle', node_settle)
redis.register_function('ol_content_holders', content_holders)
redis.register_function('ol_content_put', content_put)
redis.register_function('ol_content_gone', content_gone)
redis.register_function('ol_content_want', content_want)
redis.register_function('ol_content_unwant', content_unwant)
redis.register_function('ol_content_hold', content_hold)
redis.register_function('ol_site_put', site_put)
redis.register_function('ol_site_seq', site_seq)
redis.register_function('ol_site_synced', site_synced)
redis.register_function('ol_site_forget', site_forget)
redis.register_function('ol_lease_take', lease_take)
redis.register_function('ol_lease_drop', lease_drop)
