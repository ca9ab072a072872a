-- Restarts the room's retention after this node's last member has left, and ends its messages to this node. Returns `['OK']`. Own argument: `leave`.
local function leaveRoom()
  local failure, _, _, deadline, here = findRoom()
  if not failure then
    renewRetention(deadline)
    redis.call('HSET', room, 'here', without(here, self))
  end
  return { 'OK' }
end
