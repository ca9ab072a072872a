-- Announces the members of this node. Returns `[code]` or `['OK']`. Own arguments: `announce`, number of connected members, JSON of all its members (empty: none left).
local function announceMembers(first)
  local count, json = ARGV[first + 1], ARGV[first + 2]
  local failure, _, _, _, here = findRoom()
  if failure then return { 'OK' } end
  if json == '' then
    redis.call('HDEL', members, self)
  elseif redis.call('HSET', members, self, count .. '\t' .. json) == 1 then
    -- The first field of this node may be the first of all.
    redis.call('PEXPIRE', members, redis.call('PTTL', room))
  end
  local others = without(here, self)
  -- A node that has left the room gets no more messages of it, though it may announce members that are away.
  if others ~= here or count ~= '0' then redis.call('HSET', room, 'here', others .. self .. '=' .. count .. ' ') end
  tell(others, 'm' .. self .. '\n' .. json)
  return { 'OK' }
end
