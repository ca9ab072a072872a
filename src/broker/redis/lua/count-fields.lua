-- Adds to fields of hashes, and renews their lifetimes. A hash that is full takes no new field: the field that stands in for it is counted instead.
-- KEYS: hashes. ARGV: maximum number of fields, the lifetime of each hash (ms), then each field, its stand-in, and the number to add. Returns nothing.
local maximum = tonumber(ARGV[1])
for k, key in ipairs(KEYS) do
  for i = 2 + #KEYS, #ARGV, 3 do
    local field, other, count = ARGV[i], ARGV[i + 1], ARGV[i + 2]
    if redis.call('HINCRBY', key, field, count) == tonumber(count) and redis.call('HLEN', key) > maximum then
      redis.call('HDEL', key, field)
      redis.call('HINCRBY', key, other, count)
    end
  end
  redis.call('PEXPIRE', key, ARGV[1 + k])
end
