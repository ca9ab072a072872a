-- Creates a room. Returns `[code]`, or `['OK', created, until]`. Own arguments: ttl (ms, or empty), fields of the
-- payment.
local failure = findRoom()
if not failure then return { 'ROOM_EXISTS' } end
createRoom(tonumber(ARGV[5]))
writePayment(ARGV[6])
return { 'OK', now, redis.call('HGET', room, 'until') }
