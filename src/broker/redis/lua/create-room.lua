-- Creates a room. Returns `[code]`, or `['OK', created, until, epoch]`. Own arguments: ttl of the
-- link and time for late results (ms; ttl empty: no deadline), fields of the payment.
local failure = findRoom()
if not failure then return { 'ROOM_EXISTS' } end
createRoom()
if ARGV[5] ~= '' then setDeadline(tonumber(ARGV[5]), tonumber(ARGV[6])) end
writePayment(ARGV[7])
return { 'OK', now, redis.call('HGET', room, ARGV[5] ~= '' and 'deadline' or 'until'), newEpoch }
