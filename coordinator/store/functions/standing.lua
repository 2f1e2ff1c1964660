
-- A node's standing: bans, what audits and reports say, the operator's drain.

local BANS_MAX = 65536 -- in the index; bans themselves stay
local WRONG_LIFE_S = 7 * 86400
local LOW_LIFE_S, LOW_MAX = 86400, 5 -- one halving is forgiven a day
local TOLD_LIFE_S, TOLD_MAX = 86400, 256 -- who reported a node
local ACCUSERS = 2 -- different nodes
local NOVICE_AUDITS = 4 -- passed; up to then each changes its weight

-- ban:{N} bans; id now_s reason by details.  1 if it was not banned before.
local function ban(keys, args)
    local known = redis.call('EXISTS', keys[1])
    redis.call('HSET', keys[1], 'since', args[2], 'reason', args[3], 'by',
        args[4], 'details', args[5])
    redis.call('ZADD', keys[2], args[2], args[1])
    redis.call('ZREMRANGEBYRANK', keys[2], 0, -1 - BANS_MAX)
    return 1 - known
end

-- ban:{N} bans rep:{N}; id.  1 if it was banned.
local function unban(keys, args)
    redis.call('ZREM', keys[2], args[1])
    redis.call('HDEL', keys[3], 'wrong', 'wrong_s')
    return redis.call('DEL', keys[1])
end

-- Of each ban:{N}: {reason, since, by, details}
local function bans_read(keys)
    local result = {}
    for i, key in ipairs(keys) do
        result[i] = redis.call('HMGET', key, 'reason', 'since', 'by',
            'details')
    end
    return result
end

-- key:{N}; "1" or "0".  1, 0 if there is no such node.
local function node_drain(keys, args)
    if redis.call('EXISTS', keys[1]) == 0 then
        return 0
    end
    redis.call('HSET', keys[1], 'drained', args[1])
    return 1
end

-- audit:{N} rep:{N}; process life_s.  1 if it may be audited now, by it.
local function audit_begin(keys, args)
    if not redis.call('SET', keys[1], args[1], 'NX', 'EX', args[2]) then
        return 0
    end
    redis.call('HDEL', keys[2], 'due')
    return 1
end

-- rep:{N} node:{N}; bytes per second.  1 if others should hear of it.
local function audit_passed(keys, args)
    local peak = tonumber(redis.call('HGET', keys[1], 'peak') or '0')
    local passed = redis.call('HINCRBY', keys[1], 'passed', 1)
    peak = math.max(tonumber(args[1]), peak - math.ceil(peak / 8))
    redis.call('HSET', keys[1], 'peak', string.format('%.0f', peak))
    redis.call('EXPIRE', keys[1], NODE_LIFE_S)
    local listed = redis.call('HDEL', keys[2], 'unlisted')
    return (listed == 1 or passed <= NOVICE_AUDITS) and 1 or 0
end

-- rep:{N} node:{N}; why.  1 if it was listed.
local function audit_failed(keys, args)
    if redis.call('EXISTS', keys[2]) == 0 then
        return 0
    end
    return redis.call('HSET', keys[2], 'unlisted', args[1])
end

-- rep:{N}; now_s.  How often it was wrong lately.
local function audit_wrong(keys, args)
    local known = redis.call('HMGET', keys[1], 'wrong', 'wrong_s')
    local wrong = 1
    if known[2] and tonumber(args[1]) - tonumber(known[2]) < WRONG_LIFE_S then
        wrong = tonumber(known[1]) + 1
    end
    redis.call('HSET', keys[1], 'wrong', wrong, 'wrong_s', args[1], 'passed',
        0)
    redis.call('EXPIRE', keys[1], NODE_LIFE_S)
    return wrong
end

-- Halves its weight, and has it audited as soon as may be.
local function node_lower(rep, audit, now_s)
    local known = redis.call('HMGET', rep, 'low', 'low_s')
    local low, age = tonumber(known[1] or '0'), now_s - (known[2] or 0)
    low = math.max(0, low - math.floor(age / LOW_LIFE_S))
    redis.call('HSET', rep, 'low', math.min(low + 1, LOW_MAX), 'low_s', now_s,
        'due', 1)
    redis.call('EXPIRE', rep, NODE_LIFE_S)
    redis.call('DEL', audit)
    return 1
end

-- rep:{N} told:{N} audit:{N}; site count limit now_s.  Downloads from the node
-- failed, so many more.  1 if that has reached the limit, within a day.
local function node_failed(keys, args)
    local field, count, limit = 's:' .. args[1], tonumber(args[2]),
        tonumber(args[3])
    if redis.call('HLEN', keys[2]) >= TOLD_MAX
        and redis.call('HEXISTS', keys[2], field) == 0 then
        return 0
    end
    local after = redis.call('HINCRBY', keys[2], field, count)
    redis.call('EXPIRE', keys[2], TOLD_LIFE_S, 'NX')
    if after < limit or after - count >= limit then
        return 0
    end
    return node_lower(keys[1], keys[3], args[4])
end

-- rep:{N} told:{N} audit:{N}; another node's id, now_s.  1 if it is the one
-- that was still missing.
local function node_accused(keys, args)
    if redis.call('HLEN', keys[2]) >= TOLD_MAX
        or redis.call('HSETNX', keys[2], 'n:' .. args[1], 1) == 0 then
        return 0
    end
    local accusers = redis.call('HINCRBY', keys[2], 'nodes', 1)
    redis.call('EXPIRE', keys[2], TOLD_LIFE_S, 'NX')
    if accusers ~= ACCUSERS then
        return 0
    end
    return node_lower(keys[1], keys[3], args[2])
end

redis.register_function('ol_ban', ban)
redis.register_function('ol_unban', unban)
redis.register_function{function_name = 'ol_bans_read', callback = bans_read,
    flags = {'no-writes'}}
redis.register_function('ol_node_drain', node_drain)
redis.register_function('ol_audit_begin', audit_begin)
redis.register_function('ol_audit_passed', audit_passed)
redis.register_function('ol_audit_failed', audit_failed)
redis.register_function('ol_audit_wrong', audit_wrong)
redis.register_function('ol_node_failed', node_failed)
redis.register_function('ol_node_accused', node_accused)
