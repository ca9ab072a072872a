-- Reads a room. Returns `[code]`, or `['OK', epoch, seq, created, until, last, deadline, payment, members, recovered, entries, now, isStalled]`.
-- Own arguments: 1 to read entries, the position (epoch and seq) to read after, and the log size.
local withEntries, fromEpoch, fromSeq, size = ARGV[7] == '1', ARGV[8], tonumber(ARGV[9]), tonumber(ARGV[10])
local failure, epoch = findRoom()
if failure then return { failure } end
local stored = redis.call('HMGET', room, 'seq', 'created', 'until', 'last', 'deadline', 'stalled')
local recovered, entries = false, {}
if withEntries then
  local last = tonumber(stored[1])
  local length = redis.call('LLEN', log)
  -- Events beyond the size wait to be dropped, see publish.lua.
  local hidden = math.max(length - size, 0)
  local first = last - length + hidden + 1
  recovered = (fromEpoch == epoch or (fromEpoch == '' and fromSeq == 0)) and fromSeq >= first - 1 and fromSeq <= last
  entries = redis.call('LRANGE', log, hidden + (recovered and fromSeq - first + 1 or 0), -1)
end
return { 'OK', epoch, stored[1], stored[2], stored[3], stored[4], stored[5], redis.call('HMGET', room, unpack(PAYMENT)), redis.call('HGETALL', members),
  recovered and 1 or 0, entries, now, stored[6] and 1 or 0 }
