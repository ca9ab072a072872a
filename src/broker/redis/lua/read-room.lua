-- Reads a room with the entries of its log after a position. Returns `[code]`, or a snapshot, see snapshot.lua.
-- Own arguments: the position (epoch and seq), and the log size.
local fromEpoch, fromSeq, size = ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9])
local failure, epoch = findRoom()
if failure then return { failure } end
local snapshot = snapshotOf(epoch)
local last, length = tonumber(snapshot[3][1]), redis.call('LLEN', log)
-- Events beyond the size wait to be dropped, see publish.lua.
local hidden = math.max(length - size, 0)
local first = last - length + hidden + 1
local recovered = (fromEpoch == epoch or (fromEpoch == '' and fromSeq == 0)) and fromSeq >= first - 1 and fromSeq <= last
snapshot[6] = recovered and 1 or 0
snapshot[7] = redis.call('LRANGE', log, hidden + (recovered and fromSeq - first + 1 or 0), -1)
return snapshot
