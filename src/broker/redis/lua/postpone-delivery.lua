-- Keeps the tries of the first change in the outbox of a room, which is tried again later. KEYS: outbox, tries. ARGV: now (ms; empty: the clock of Redis), delay (ms),
-- lifetime of the outbox (ms), name of the change, JSON of its tries. Returns the time of the next try.
local due = (tonumber(ARGV[1]) or redisNow()) + ARGV[2]
redis.call('HSET', KEYS[2], 'of', ARGV[4], 'due', due, 'tries', ARGV[5])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
return due
