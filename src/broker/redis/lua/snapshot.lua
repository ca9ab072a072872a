-- Reads a room in use, with its epoch. Returns `['OK', epoch, seq, created, until, last, deadline, payment, members, recovered, entries, now, isStalled]`, without entries.
local function snapshotOf(epoch)
  local seq, created, ends, last, deadline, stalled = unpack(redis.call('HMGET', room, 'seq', 'created', 'until', 'last', 'deadline', 'stalled'))
  return { 'OK', epoch, seq, created, ends, last, deadline, redis.call('HMGET', room, unpack(PAYMENT)), redis.call('HGETALL', members), 0, {}, now, stalled and 1 or 0 }
end

-- Reads the current room. Returns `[code]` or its snapshot. Own argument: `look`.
local function lookAtRoom()
  local failure, epoch = findRoom()
  return failure and { failure } or snapshotOf(epoch)
end
