
-- What a node is to hold and has not acknowledged yet.

local ASSIGNING_MAX = 8 -- sites at a time, of one content to one node

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

redis.register_function('ol_node_assigned', node_assigned)
redis.register_function('ol_node_settle', node_settle)
