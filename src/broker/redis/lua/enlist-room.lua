-- Adds a room to the index, which is ordered by the start of the rooms. KEYS: index, counter. ARGV: room, 1 if it starts now. Returns nothing.
if ARGV[2] == '0' and redis.call('ZSCORE', KEYS[1], ARGV[1]) then return end
redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[1])
