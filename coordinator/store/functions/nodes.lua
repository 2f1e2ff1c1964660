
-- Nodes: registration and heartbeats.

local NODE_NUMBER_MAX = 16777215
local NODE_LIFE_S = 90 * 86400 -- a node that never comes back is forgotten
local URL_LIFE_S = 86400       -- then another node may have its URL

-- Before the call-back: key:{N} u:{U} ban:{N}; id seq.  Keeps nothing of
-- strangers.  {0, seq, 1 if it was invited}, {BANNED, 0, 0, reason}
local function node_check(keys, args)
    local reason = redis.call('HGET', keys[3], 'reason')
    if reason then
        return {BANNED, 0, 0, reason}
    end
    local owner = redis.call('GET', keys[2])
    if owner and owner ~= args[1] then
        return {TAKEN, 0}
    end
    if redis.call('EXISTS', keys[1]) == 0 then
        return {0, 0, 0}
    end
    local result = seq_advance(keys[1], args[2])
    result[3] = redis.call('HEXISTS', keys[1], 'invite')
    return result
end

-- Whether it may come by this invitation, which admits `uses` nodes.
local function invite_take(key, id, uses)
    if redis.call('SISMEMBER', key, id) == 1 then
        return true
    end
    if redis.call('SCARD', key) >= tonumber(uses) then
        return false
    end
    redis.call('SADD', key, id)
    return true
end

-- After the call-back: key:{N} u:{U} node-number ban:{N} node:{N} invite:{T};
-- id seq now_s uses T, then fields and values; uses 0: it needs no invitation.
-- {0, number}
local function node_register(keys, args)
    local owner = redis.call('GET', keys[2])
    if owner and owner ~= args[1] then
        return {TAKEN, 0}
    end
    if redis.call('EXISTS', keys[4]) == 1 then
        return {BANNED, 0}
    end
    local known = redis.call('HMGET', keys[1], 'seq', 'n', 'u')
    if known[1] and tonumber(args[2]) < tonumber(known[1]) then
        return {STALE, tonumber(known[1])}
    end
    if tonumber(args[4]) > 0 then
        if not invite_take(keys[6], args[1], args[4]) then
            return {SPENT, 0}
        end
        redis.call('HSET', keys[1], 'invite', args[5])
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
        unpack(args, 6))
    redis.call('HSETNX', keys[1], 'born', args[3])
    redis.call('EXPIRE', keys[1], NODE_LIFE_S)
    redis.call('HDEL', keys[5], 'unlisted')
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

-- key:{N} node:{N} ban:{N} rep:{N}.  {key's fields, soft ones, ms of life left,
-- why it is banned, what audits and reports say}
local function node_load(keys)
    return {
        redis.call('HMGET', keys[1], 'n', 'key', 'url', 'zone', 'cidrs',
            'capacity', 'rate', 'weight', 'sites', 'born', 'invite', 'drained'),
        redis.call('HMGET', keys[2], 'rate', 'connections', 'free', 'drain',
            'unlisted'),
        math.max(0, redis.call('PTTL', keys[2])),
        redis.call('HGET', keys[3], 'reason'),
        redis.call('HMGET', keys[4], 'passed', 'wrong', 'wrong_s', 'low',
            'low_s', 'peak', 'due'),
    }
end

redis.register_function('ol_node_check', node_check)
redis.register_function('ol_node_register', node_register)
redis.register_function('ol_node_beat', node_beat)
redis.register_function{function_name = 'ol_node_load', callback = node_load,
    flags = {'no-writes'}}
