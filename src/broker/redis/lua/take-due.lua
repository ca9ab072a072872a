-- Takes the rooms that are due. Each gets a lease, so that no other node takes it meanwhile, and another one does when this node dies.
-- KEYS: due rooms by time. ARGV: now (ms; empty: the clock of Redis), lease (ms), maximum number of rooms. Returns the end of the leases, then the rooms.
local now = tonumber(ARGV[1]) or redisNow()
local lease = now + ARGV[2]
local rooms = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[3])
for _, name in ipairs(rooms) do redis.call('ZADD', KEYS[1], lease, name) end
return { lease, unpack(rooms) }
