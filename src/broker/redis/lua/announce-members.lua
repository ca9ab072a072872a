-- Announces the members of this node. Returns nothing. Own arguments: number of connected members, JSON of all its members (empty: none left).
local failure, _, _, _, here = findRoom()
if failure then return end
if ARGV[8] == '' then redis.call('HDEL', members, self) else redis.call('HSET', members, self, ARGV[7] .. '\t' .. ARGV[8]) end
redis.call('PEXPIRE', members, redis.call('PTTL', room))
local others = without(here, self)
-- A node that has left the room gets no more messages of it, though it may announce members that are away.
if others ~= here or ARGV[7] ~= '0' then redis.call('HSET', room, 'here', others .. self .. '=' .. ARGV[7] .. ' ') end
tell(others, 'm' .. self .. '\n' .. ARGV[8])
