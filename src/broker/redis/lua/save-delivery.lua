-- Saves the record of a delivery for the list of operators. KEYS: records; ids by time of those that wait, that were given up, that were delivered.
-- ARGV: id, time (ms), JSON (empty: deletes the record), number of the set that the delivery is in (2, 3 or 4), bound of each set, 1 to save only a new record.
-- Returns nothing.
local id, time, json, place = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local isNew = not redis.call('HGET', KEYS[1], id)
if ARGV[8] == '1' and not isNew then return end
for i = 2, 4 do if i ~= place then redis.call('ZREM', KEYS[i], id) end end
if json == '' then
  redis.call('ZREM', KEYS[place], id)
  redis.call('HDEL', KEYS[1], id)
  return
end
local bound = tonumber(ARGV[3 + place])
-- Beyond the bound the latest that wait are not listed, so that the age of the oldest one stays known.
if place == 2 and isNew and redis.call('ZCARD', KEYS[2]) >= bound then return end
redis.call('ZADD', KEYS[place], time, id)
redis.call('HSET', KEYS[1], id, json)
if place == 2 then return end
local tooMany = redis.call('ZCARD', KEYS[place]) - bound
if tooMany <= 0 then return end
for _, old in ipairs(redis.call('ZRANGE', KEYS[place], 0, tooMany - 1)) do
  redis.call('ZREM', KEYS[place], old)
  redis.call('HDEL', KEYS[1], old)
end
