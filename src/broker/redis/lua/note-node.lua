-- Keeps the note of a node until its lease ends, by the clock of Redis, and removes notes whose lease has ended.
-- KEYS: notes. ARGV: node, note (empty: the node leaves), lease (ms). Returns the notes of all live nodes.
local now = redisNow()
if ARGV[2] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], now + ARGV[3] .. ' ' .. ARGV[2]) end
local notes = {}
local kept = redis.call('HGETALL', KEYS[1])
for i = 1, #kept, 2 do
  local ends, note = string.match(kept[i + 1], '^(%d+) (.*)$')
  -- A lease that ends later than possible was given before the clock was put back. A node that lives renews it.
  if tonumber(ends) < now or tonumber(ends) > now + ARGV[3] then redis.call('HDEL', KEYS[1], kept[i])
  else notes[#notes + 1] = note end
end
return notes
