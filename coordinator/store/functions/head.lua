#!lua name=offload

-- What must be atomic, as one library of Redis Functions: library.c joins the
-- files of this folder, this one first, and link.c loads them at each connect
-- if the library in Redis is older than VERSION: raise it with every change in
-- any of them.  Keys are described in ../store.h.  Every function runs in
-- constant time, or logarithmic in one key's size, for each item that it is
-- given, returns or finds expired.

local VERSION = 17

-- Results: 0 or above is good, these are refusals.
local STALE, TAKEN, UNKNOWN, FULL, BANNED, SPENT = -1, -2, -3, -4, -5, -6

local KEYS_LIFE_S = 3600 -- of a:{N}, ad:{N} and r:{N}
local ASSIGNED_MAX = 4096 -- to one node and not acknowledged; releases

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

redis.register_function{function_name = 'ol_version', callback = version,
    flags = {'no-writes'}}
