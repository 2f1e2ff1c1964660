
-- The status page: bytes over time, the hottest contents.

local HOT_MAX, HOT_LIFE_S, HOT_LAPSED = 256, 600, 64
local HISTORY_DAYS = 400 -- kept
local HISTORY_MAX = 9007199254740991

-- Stays where it can grow no more: a node may claim as much as it likes.
local function count_add(key, field, growth)
    local sum = tonumber(redis.call('HGET', key, field) or '0') + growth
    redis.call('HSET', key, field,
        string.format('%.0f', math.min(sum, HISTORY_MAX)))
end

-- {hist}:m:{hour} {hist}:t:{day} {hist}:d; minute slot day claimed credited
local function history_add(keys, args)
    local fields = {args[1] % 60, args[2] % 144, args[3]}
    local life = {3 * 3600, 3 * 86400}
    local new = redis.call('HEXISTS', keys[3], 'c' .. args[3]) == 0
    for i, key in ipairs(keys) do
        count_add(key, 'c' .. fields[i], args[4])
        count_add(key, 'p' .. fields[i], args[5])
        if life[i] then
            redis.call('EXPIRE', key, life[i])
        end
    end
    if new then
        local old = {}
        for day = args[3] - 2 * HISTORY_DAYS, args[3] - HISTORY_DAYS do
            old[#old + 1] = 'c' .. day
            old[#old + 1] = 'p' .. day
        end
        redis.call('HDEL', keys[3], unpack(old))
    end
    return 1
end

-- Appends claimed and credited of `count` fields, the last of which is `last`;
-- `old` has those before the last multiple of `ring`.
local function history_read(result, old, key, last, count, ring)
    local function part(from, to, name)
        if from > to then
            return
        end
        local fields = {}
        for i = from, to do
            fields[#fields + 1] = 'c' .. (i % ring)
            fields[#fields + 1] = 'p' .. (i % ring)
        end
        for _, value in ipairs(redis.call('HMGET', name, unpack(fields))) do
            result[#result + 1] = value or '0'
        end
    end
    local turn = last - last % ring
    part(last - count + 1, math.min(turn - 1, last), old)
    part(math.max(turn, last - count + 1), last, key)
end

-- {hist}:m:{hour - 1} {hist}:m:{hour} {hist}:t:{day - 1} {hist}:t:{day}
-- {hist}:d; minute slot day minutes slots days
local function history(keys, args)
    local result = {}
    history_read(result, keys[1], keys[2], tonumber(args[1]), args[4], 60)
    history_read(result, keys[3], keys[4], tonumber(args[2]), args[5], 144)
    history_read(result, keys[5], keys[5], tonumber(args[3]), args[6], 2 ^ 31)
    return result
end

local function hot_drop(keys, roots)
    if #roots > 0 then
        redis.call('ZREM', keys[1], unpack(roots))
        redis.call('ZREM', keys[2], unpack(roots))
        redis.call('HDEL', keys[3], unpack(roots))
    end
end

-- {hot}:demand {hot}:at {hot}:wanted; now_s, root demand wanted, ...
local function hot_put(keys, args)
    local cold = {}
    for i = 2, #args, 3 do
        if tonumber(args[i + 1]) > 0 then
            redis.call('ZADD', keys[1], args[i + 1], args[i])
            redis.call('ZADD', keys[2], args[1], args[i])
            redis.call('HSET', keys[3], args[i], args[i + 2])
        else
            cold[#cold + 1] = args[i]
        end
    end
    hot_drop(keys, cold)
    hot_drop(keys, redis.call('ZRANGE', keys[2], '-inf', args[1] - HOT_LIFE_S,
        'BYSCORE', 'LIMIT', 0, HOT_LAPSED))
    local excess = redis.call('ZCARD', keys[1]) - HOT_MAX
    if excess > 0 then
        hot_drop(keys, redis.call('ZRANGE', keys[1], 0, excess - 1))
    end
    for _, key in ipairs(keys) do
        redis.call('EXPIRE', key, HOT_LIFE_S)
    end
    return 1
end

-- {hot}:demand {hot}:at {hot}:wanted; now_s page.  {total, root, demand,
-- wanted, ...}, the hottest first.
local function hot(keys, args)
    local result = {redis.call('ZCARD', keys[1])}
    local list = redis.call('ZRANGE', keys[1], 0, args[2] - 1, 'REV',
        'WITHSCORES')
    for i = 1, #list, 2 do
        local at = redis.call('ZSCORE', keys[2], list[i])
        if at and tonumber(at) > args[1] - HOT_LIFE_S then
            result[#result + 1] = list[i]
            result[#result + 1] = list[i + 1]
            result[#result + 1] = redis.call('HGET', keys[3], list[i]) or '0'
        end
    end
    return result
end

-- c:{R}:meta c:{R}:h c:{R}:b; now_s.  {iss, sub, size, holders, incomplete}
local function content_state(keys, args)
    local meta = redis.call('HMGET', keys[1], 'iss', 'sub', 'size')
    return {meta[1] or '', meta[2] or '', meta[3] or '',
        redis.call('ZCOUNT', keys[2], args[1], '+inf'),
        redis.call('HLEN', keys[3])}
end

-- sites bans offered.  {how many, how many, INFO, contents}
local function overview(keys)
    return {redis.call('ZCARD', keys[1]), redis.call('ZCARD', keys[2]),
        redis.call('INFO', 'server', 'memory', 'persistence'),
        redis.call('GET', keys[3])}
end

redis.register_function('ol_history_add', history_add)
redis.register_function{function_name = 'ol_history', callback = history,
    flags = {'no-writes'}}
redis.register_function('ol_hot_put', hot_put)
redis.register_function{function_name = 'ol_hot', callback = hot,
    flags = {'no-writes'}}
redis.register_function{function_name = 'ol_content_state',
    callback = content_state, flags = {'no-writes'}}
redis.register_function{function_name = 'ol_overview', callback = overview,
    flags = {'no-writes'}}
