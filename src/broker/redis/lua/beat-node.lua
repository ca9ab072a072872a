-- Renews this node's lease in the registry, by the clock of Redis, and removes expired nodes. A new node is announced on the registry's channel,
-- and one that leaves with a ! before its name.
-- KEYS: registry. ARGV: node, lease (ms; 0 removes the node), channel. Returns the names of the live nodes.
local now = redisNow()
local added = 0
if ARGV[2] == '0' then
  redis.call('ZREM', KEYS[1], ARGV[1])
  redis.call('SPUBLISH', ARGV[3], '!' .. ARGV[1])
else
  added = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- A lease that ends later than possible was given before the clock was put back. A node that lives renews it.
if ARGV[2] ~= '0' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + ARGV[2], '+inf') end
if added == 1 then redis.call('SPUBLISH', ARGV[3], ARGV[1]) end
return redis.call('ZRANGE', KEYS[1], 0, -1)
