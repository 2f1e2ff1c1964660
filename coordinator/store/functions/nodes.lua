
-- Nodes: registration and heartbeats.

local NODE_NUMBER_MAX = 16777215
local NODE_LIFE_S = 90 * 86400 -- a node that never comes back is forgotten
local URL_LIFE_S = 86400       -- then another node may have its URL

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

redis.register_function('ol_node_check', node_check)
redis.register_function('ol_node_register', node_register)
redis.register_function('ol_node_beat', node_beat)
redis.register_function('ol_node_load', node_load)
