-- BitTorrent swarms: which infohashes are registered, and their peers.  Keys
-- of a swarm H: t:{H}:m t:{H}:o, and its peers t:{H}:s4 t:{H}:l4 t:{H}:s6
-- t:{H}:l6, always in this order.

local PEERS_DROPPED = 32 -- expired ones, of all keys, at a time
local PEERS_WHOLE = 64 -- up to so many are all told
local PEERS_SLICE = 16 -- else so many latest ones, and so many others

-- Writers leave out to renew a key that they renewed lately; if its last peer
-- went meanwhile, it is another key, without an end.
local function keys_end(keys, life_s)
    for i = 3, #keys do
        if redis.call('TTL', keys[i]) == -1 then
            redis.call('EXPIRE', keys[i], life_s)
        end
    end
end

-- All six keys; site root name size now_s until_s life_s.  As long as any
-- site offers it; `downloaded` stays.
local function swarm_register(keys, args)
    redis.call('ZREMRANGEBYSCORE', keys[2], '-inf', args[5])
    redis.call('ZADD', keys[2], args[6], args[1])
    redis.call('EXPIRE', keys[2], args[7])
    redis.call('HSET', keys[1], 'site', args[1], 'root', args[2], 'name',
        args[3], 'size', args[4])
    redis.call('HSETNX', keys[1], 'downloaded', 0)
    keys_end(keys, args[7])
    return redis.call('EXPIRE', keys[1], args[7])
end

-- t:{H}:m t:{H}:o; site now_s.  What no site offers any more is gone, its peers
-- end by themselves.
local function swarm_withdraw(keys, args)
    redis.call('ZREM', keys[2], args[1])
    redis.call('ZREMRANGEBYSCORE', keys[2], '-inf', args[2])
    if redis.call('EXISTS', keys[2]) == 0 then
        return redis.call('DEL', unpack(keys))
    end
    return 0
end

-- A coordinator whose clock is ahead takes nobody for gone who is not.
local function now_least(now_s)
    return math.min(tonumber(now_s), tonumber(redis.call('TIME')[1]))
end

-- {how many are alive, 1 if these are all, address, expiry, address, …}, and
-- how many it dropped, of `left` at most: those that expired first.
local function peers_look(key, now_s, random, left)
    local all = redis.call('ZCARD', key)
    if all == 0 then
        return {0, 1}, 0
    end
    local count = redis.call('ZCOUNT', key, '(' .. now_s, '+inf')
    local drop = math.min(all - count, left)
    if drop > 0 then
        redis.call('ZREMRANGEBYRANK', key, 0, drop - 1)
    end
    if count == 0 then
        return {0, 1}, drop
    end
    if count <= PEERS_WHOLE then
        return {count, 1, unpack(redis.call('ZRANGE', key, 0, count - 1, 'REV',
            'WITHSCORES'))}, drop
    end
    local some = redis.call('ZRANGE', key, 0, PEERS_SLICE - 1, 'REV',
        'WITHSCORES')
    local from = PEERS_SLICE + random % (count - 2 * PEERS_SLICE + 1)
    for _, item in ipairs(redis.call('ZRANGE', key, from,
        from + PEERS_SLICE - 1, 'REV', 'WITHSCORES')) do
        some[#some + 1] = item
    end
    return {count, 0, unpack(some)}, drop
end

-- All six keys; now_s random life_s.  {0} if it is not registered, else {1,
-- downloaded, peers_look of each}
local function swarm_look(keys, args)
    local downloaded = redis.call('HGET', keys[1], 'downloaded')
    if not downloaded then
        return {0}
    end
    keys_end(keys, args[3])
    local answer, left = {1, tonumber(downloaded)}, PEERS_DROPPED
    local now_s = now_least(args[1])
    for i = 3, 6 do
        local dropped
        answer[i], dropped = peers_look(keys[i], now_s, tonumber(args[2]), left)
        left = left - dropped
    end
    return answer
end

-- All six keys; now_s.  {seeds, leechers, downloaded}; {} if not registered
local function swarm_count(keys, args)
    local downloaded = redis.call('HGET', keys[1], 'downloaded')
    if not downloaded then
        return {}
    end
    local counts, now_s = {}, now_least(args[1])
    for i = 3, 6 do
        counts[i] = redis.call('ZCOUNT', keys[i], '(' .. now_s, '+inf')
    end
    return {counts[3] + counts[5], counts[4] + counts[6],
        tonumber(downloaded)}
end

-- t:{H}:m, the peer's leechers and seeds; address expiry key_life_s.  From
-- leecher to seed, counted when it was one.
local function swarm_completed(keys, args)
    redis.call('ZADD', keys[3], args[2], args[1])
    redis.call('EXPIRE', keys[3], args[3])
    if redis.call('ZREM', keys[2], args[1]) == 1
        and redis.call('EXISTS', keys[1]) == 1 then
        redis.call('HINCRBY', keys[1], 'downloaded', 1)
        return 1
    end
    return 0
end

redis.register_function('ol_swarm_register', swarm_register)
redis.register_function{function_name = 'ol_swarm_withdraw',
    callback = swarm_withdraw, flags = {'allow-oom'}}
redis.register_function{function_name = 'ol_swarm_look',
    callback = swarm_look, flags = {'allow-oom'}}
redis.register_function{function_name = 'ol_swarm_count',
    callback = swarm_count, flags = {'no-writes'}}
redis.register_function('ol_swarm_completed', swarm_completed)
