-- Creates a room. Returns `[code]`, or `['OK', created, until, epoch]`. Own arguments: ttl of the
-- link and time for late results (ms; ttl empty: no deadline), fields of the payment, URL of the room's webhooks (empty: none of its own).
local failure = findRoom()
if not failure then return { 'ROOM_EXISTS' } end
createRoom()
if ARGV[7] ~= '' then setDeadline(tonumber(ARGV[7]), tonumber(ARGV[8])) end
writePayment(ARGV[9])
if ARGV[10] ~= '' then redis.call('HSET', room, 'hook', ARGV[10]) end
return { 'OK', now, redis.call('HGET', room, ARGV[7] ~= '' and 'deadline' or 'until'), newEpoch }
