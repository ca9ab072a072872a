-- Counts a request. A window that ends later than possible was started before the clock of Redis was set back, and is over.
-- KEYS: count. ARGV: window (ms). Returns [requests in the window, ms until it ends].
local window = tonumber(ARGV[1])
local current = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left <= window then return { current, left } end
redis.call('SET', KEYS[1], 1, 'PX', window)
return { 1, window }
