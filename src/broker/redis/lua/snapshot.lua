-- Fields of a room that are read with its payment.
local ROOM = { 'seq', 'created', 'until', 'last', 'deadline', 'stalled', unpack(PAYMENT) }

-- Reads a room in use, with its epoch. Returns `['OK', epoch, values of ROOM, members, now, recovered, entries]`, without entries.
local function snapshotOf(epoch)
  return { 'OK', epoch, redis.call('HMGET', room, unpack(ROOM)), redis.call('HGETALL', members), now, 0, {} }
end

-- Reads the current room. Returns `[code]` or its snapshot. Own argument: `look`.
local function lookAtRoom()
  local failure, epoch = findRoom()
  return failure and { failure } or snapshotOf(epoch)
end
