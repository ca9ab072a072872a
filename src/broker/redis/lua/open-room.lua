-- Opens or renews a room, and registers this node for its messages in the same step: no event is between the two.
-- Own arguments: `open`, 1 to create, names of dead nodes, each followed by a space.
-- Returns `[code]`, or `['OK', left, deadline, isNew, room]`; `left` is ms until the deadline; both are empty without one. `room` is the reply of lookAtRoom().
local function openRoom(first)
  local failure, epoch, ends, deadline, here = findRoom()
  if failure and not (ARGV[first + 1] == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
  if failure then
    createRoom()
    epoch, here = newEpoch, ' '
  elseif string.find(here, ' ' .. self .. '=', 1, true) or ends - now < renewal then
    -- A node's own renewal, or its first device in a room that nobody has renewed of late.
    renewRetention(deadline)
  end
  local nodes = here
  for node in string.gmatch(ARGV[first + 2], '[^ ]+') do nodes = without(nodes, node) end
  if not string.find(nodes, ' ' .. self .. '=', 1, true) then nodes = nodes .. self .. '=0 ' end
  if nodes ~= here then redis.call('HSET', room, 'here', nodes) end
  return { 'OK', deadline and deadline - now or '', deadline or '', failure and 1 or 0, snapshotOf(epoch) }
end
