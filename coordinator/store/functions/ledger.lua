
-- The ledger: what a node is owed for, each byte once.

local LEDGER_LIFE_S = 400 * 86400 -- after the last change
local LEDGER_NEW_S = 30 * 86400 -- of one whose node has not registered here
local LEDGER_NEW_MAX = 16384  -- of these
local LEDGER_SITES_MAX = 4096 -- of one node
local ACCOUNT_LIFE_S = 30 * 86400
local ACCOUNTS_KEPT = 64 -- of a node and site, older than that too
local ACCOUNTS_MAX = 256 -- then the oldest go in any case
local ACCOUNTS_DROP = 32 -- at a time, and looked for as seldom
local LEDGER_MAX = 9007199254740991

local function numbers(text)
    local list = {}
    for word in string.gmatch(text or '', '%d+') do
        list[#list + 1] = tonumber(word)
    end
    return list
end

local function texts(list)
    for i = 1, #list do
        list[i] = string.format('%.0f', math.min(list[i], LEDGER_MAX))
    end
    return table.concat(list, ' ')
end

-- How long what is written now lasts, nil: it is not to be written.  What is
-- told of a node that this Redis does not know waits for it: after Redis was
-- emptied, sites may be faster than nodes.
local function ledger_life(keys, node, now)
    if redis.call('EXISTS', keys[7]) == 1 then
        redis.call('ZREM', keys[6], node)
        redis.call('ZADD', keys[5], 0, node)
        return LEDGER_LIFE_S
    end
    if redis.call('ZSCORE', keys[5], node) then
        return LEDGER_LIFE_S
    end
    local old = redis.call('ZRANGEBYSCORE', keys[6], '-inf',
        now - LEDGER_NEW_S, 'LIMIT', 0, ACCOUNTS_DROP)
    if #old > 0 then
        redis.call('ZREM', keys[6], unpack(old))
    end
    if not redis.call('ZSCORE', keys[6], node)
        and redis.call('ZCARD', keys[6]) >= LEDGER_NEW_MAX then
        return nil
    end
    redis.call('ZADD', keys[6], now, node)
    return LEDGER_NEW_S
end

-- The place and sums of a site in the ledger, nil: there is no room.
local function ledger_site(keys, site, iss)
    local text = redis.call('HGET', keys[1], site)
    if text then
        return numbers(text)
    end
    local place = tonumber(redis.call('HGET', keys[1], 'n') or '0') + 1
    if place > LEDGER_SITES_MAX then
        return nil
    end
    redis.call('DEL', keys[2], keys[3]) -- of a ledger that is gone
    redis.call('HSET', keys[1], 'n', place, '#' .. place, iss)
    return {place, 0, 0, 0}
end

-- Makes room for new accounts: those that changed longest ago go.
local function accounts_trim(key, now)
    local count = redis.call('HLEN', key)
    if count < ACCOUNTS_KEPT or count % ACCOUNTS_DROP > 0 then
        return
    end
    local all, list = redis.call('HGETALL', key), {}
    for i = 1, #all, 2 do
        local at = numbers(all[i + 1])[3]
        if count >= ACCOUNTS_MAX or at < now - ACCOUNT_LIFE_S then
            list[#list + 1] = {at, all[i]}
        end
    end
    table.sort(list, function(a, b)
        return a[1] < b[1] or a[1] == b[1] and a[2] < b[2]
    end)
    for i = 1, math.min(#list, ACCOUNTS_DROP) do
        redis.call('HDEL', key, list[i][2])
    end
end

local function sums_add(key, field, growth)
    local sums = numbers(redis.call('HGET', key, field))
    for i = 1, #growth do
        sums[i] = (sums[i] or 0) + growth[i]
    end
    redis.call('HSET', key, field, texts(sums))
end

-- {bytes, failed} by which an account has grown; nil: it has not.  booked: by
-- all of this kind.  Where these have expired, nobody knows what of this one
-- was booked: nothing is booked twice, so it begins here.
local function account_grow(key, args, booked, now)
    local last = redis.call('HGET', key, args[5])
    local was = numbers(last)
    local bytes = tonumber(args[6]) - (was[1] or 0)
    local failed = tonumber(args[7]) - (was[2] or 0)
    if bytes < 0 or failed < 0 or last and bytes + failed == 0 then
        return nil
    end
    if not last then
        if booked > 0 and redis.call('EXISTS', key) == 0 then
            bytes, failed = 0, 0
        end
        accounts_trim(key, now)
    end
    redis.call('HSET', key, args[5],
        args[6] .. ' ' .. args[7] .. ' ' .. args[8])
    return {bytes, failed}
end

-- ledger:{N} la:{N}:S lc:{N}:S ld:{N}:day ledgers ledgers-new key:{N}
-- site:{S}; N S iss kind account bytes failed now_s.  kind: 'r', receipts, or
-- 'c', the node's claim: apart, since a node must not crowd out what its site
-- has told.  {0, confirmed, claimed, credited, failed}: what it adds.
local function ledger_add(keys, args)
    local now, claim = tonumber(args[8]), args[4] == 'c'
    if claim and redis.call('EXISTS', keys[8]) == 0 then
        return {UNKNOWN}
    end
    local life = ledger_life(keys, args[1], now)
    local site = life and ledger_site(keys, args[2], args[3])
    if not site then
        return {FULL}
    end
    local key, booked = keys[2], site[2] + site[4]
    if claim then
        key, booked = keys[3], site[3]
    end
    local grown = account_grow(key, args, booked, now)
    if not grown then
        return {0, 0, 0, 0, 0}
    end
    local before = math.min(site[2], site[3])
    local day = {claim and 0 or grown[1], claim and grown[1] or 0, 0}
    site[2] = math.min(site[2] + day[1], LEDGER_MAX)
    site[3] = math.min(site[3] + day[2], LEDGER_MAX)
    site[4] = site[4] + grown[2]
    day[3] = math.min(site[2], site[3]) - before
    local place = string.format('%.0f', site[1])
    redis.call('HSET', keys[1], args[2], texts(site))
    sums_add(keys[1], 'sum', {day[1], day[2], day[3], grown[2]})
    sums_add(keys[4], place, day)
    for i = 1, 4 do
        redis.call('EXPIRE', keys[i], life)
    end
    return {0, day[1], day[2], day[3], grown[2]}
end

-- ledger:{N} ld:{N}:day...; first limit.  {sums, then for each line the number
-- of the day, the site's place, its iss, the day's sums}: of the first day
-- from place `first` on, of at most `limit` lines.
local function ledger_page(keys, args)
    local first, limit = tonumber(args[1]), tonumber(args[2])
    local result = {redis.call('HGET', keys[1], 'sum') or ''}
    for k = 2, #keys do
        local all, day = redis.call('HGETALL', keys[k]), {}
        for i = 1, #all, 2 do
            local place = tonumber(all[i])
            if k > 2 or place >= first then
                day[#day + 1] = {place, all[i + 1]}
            end
        end
        table.sort(day, function(a, b) return a[1] < b[1] end)
        for _, line in ipairs(day) do
            if (#result - 1) / 4 >= limit then
                return result
            end
            local n = #result
            result[n + 1], result[n + 2] = k - 2, line[1]
            result[n + 3] =
                redis.call('HGET', keys[1], '#' .. line[1]) or ''
            result[n + 4] = line[2]
        end
    end
    return result
end

-- ledger:{N} ledgers; N.  The index forgets what has expired.
local function ledger_forget(keys, args)
    if redis.call('EXISTS', keys[1]) == 1 then
        return 0
    end
    return redis.call('ZREM', keys[2], args[1])
end

redis.register_function('ol_ledger_add', ledger_add)
redis.register_function{function_name = 'ol_ledger_forget',
    callback = ledger_forget, flags = {'allow-oom'}}
redis.register_function {
    function_name = 'ol_ledger_page',
    callback = ledger_page,
    flags = {'no-writes'},
}
