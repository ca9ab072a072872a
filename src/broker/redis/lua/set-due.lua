-- Sets the time at which a room is due. KEYS: due rooms by time. ARGV: now (ms; empty: the clock of Redis), room, ms from now (empty: not at all), lease that the caller
-- has on the room (empty: none; an earlier time stays). Returns nothing.
local now, name, delay, lease = tonumber(ARGV[1]) or redisNow(), ARGV[2], ARGV[3], ARGV[4]
local before = tonumber(redis.call('ZSCORE', KEYS[1], name) or '')
if lease == '' then
  if not before or before > now + delay then redis.call('ZADD', KEYS[1], now + delay, name) end
elseif before == tonumber(lease) then
  if delay == '' then redis.call('ZREM', KEYS[1], name) else redis.call('ZADD', KEYS[1], now + delay, name) end
end
