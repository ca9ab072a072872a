-- Adds rooms to the index, which is ordered by the start of the rooms. KEYS: index, counter. ARGV: for each room its id, and 1 if it starts now. Returns nothing.
for i = 1, #ARGV, 2 do
  if ARGV[i + 1] == '1' or not redis.call('ZSCORE', KEYS[1], ARGV[i]) then redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[i]) end
end
