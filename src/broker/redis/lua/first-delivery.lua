-- Reads the first change in the outbox of a room, and the tries of it. KEYS: outbox, tries. ARGV: now (ms; empty: the clock of Redis).
-- Returns nothing if there is none, otherwise [change, now, fields of the tries].
local change = redis.call('LRANGE', KEYS[1], 0, 0)[1]
return change and { change, tonumber(ARGV[1]) or redisNow(), redis.call('HGETALL', KEYS[2]) }
