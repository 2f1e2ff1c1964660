
-- Sites: joining, sequence numbers, leases.

-- site:{S} sites; S iss now_s.  1 if it is new, else 0.
local function site_put(keys, args)
    redis.call('HSETNX', keys[1], 'iss', args[2])
    redis.call('HSETNX', keys[1], 'seq', 0)
    redis.call('HSET', keys[1], 'seen', args[3])
    redis.call('ZADD', keys[2], 'NX', args[3], args[1])
    return redis.call('HSETNX', keys[1], 'joined', args[3])
end

-- site:{S} offered; synced_s epoch contents.  What of `offered` is this site's
-- is kept with it.
local function site_synced(keys, args)
    if redis.call('EXISTS', keys[1]) == 0 then
        return 1
    end
    local last = redis.call('HGET', keys[1], 'offered') or '0'
    redis.call('INCRBY', keys[2], tonumber(args[3]) - tonumber(last))
    return redis.call('HSET', keys[1], 'synced', args[1], 'epoch', args[2],
        'contents', args[3], 'offered', args[3])
end

-- site:{S} sites offered; S before_s.  1: it is not known (any more).
local function site_forget(keys, args)
    for _, at in ipairs(redis.call('HMGET', keys[1], 'joined', 'seen',
        'synced')) do
        if at and tonumber(at) >= tonumber(args[2]) then
            return 0
        end
    end
    redis.call('DECRBY', keys[3], redis.call('HGET', keys[1], 'offered') or 0)
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

redis.register_function('ol_site_put', site_put)
redis.register_function('ol_site_seq', site_seq)
redis.register_function('ol_site_synced', site_synced)
redis.register_function('ol_site_forget', site_forget)
redis.register_function('ol_lease_take', lease_take)
redis.register_function('ol_lease_drop', lease_drop)
