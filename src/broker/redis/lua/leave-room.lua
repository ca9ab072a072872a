-- Restarts the room's retention after this node's last member has left, and ends its messages to this node. Returns nothing.
local failure, _, _, deadline, here = findRoom()
if failure then return end
renewRetention(deadline)
redis.call('HSET', room, 'here', without(here, self))
