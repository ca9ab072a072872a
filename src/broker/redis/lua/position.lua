-- Reads the end of a room's log and its nodes, and nothing else: each node asks for that of each of its rooms every 10 s. Own argument: `position`.
-- Returns `['OK', epoch, seq, here]`, without values if there is no room.
local function positionOf()
  return { 'OK', unpack(redis.call('HMGET', room, 'epoch', 'seq', 'here')) }
end
