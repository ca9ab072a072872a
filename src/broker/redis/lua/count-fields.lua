-- Adds 1 to fields of hashes, and renews their lifetimes. A hash that is full takes no new field: the field that stands in for it is counted instead.
-- KEYS: hashes. ARGV: maximum number of fields, number of fields, the fields, their stand-ins, then the lifetime of each hash (ms). Returns nothing.
local maximum, count = tonumber(ARGV[1]), tonumber(ARGV[2])
for k, key in ipairs(KEYS) do
  for i = 1, count do
    local field = ARGV[2 + i]
    if redis.call('HINCRBY', key, field, 1) == 1 and redis.call('HLEN', key) > maximum then
      redis.call('HDEL', key, field)
      redis.call('HINCRBY', key, ARGV[2 + count + i], 1)
    end
  end
  redis.call('PEXPIRE', key, ARGV[2 + 2 * count + k])
end
