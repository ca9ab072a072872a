-- Creates a room. Returns `[code]`, or `['OK', created, until, epoch]`. Own arguments: ttl of the
-- link and time for late results (ms; ttl empty: no deadline), fields of the payment, URL of the room's webhooks (empty: none of its own).
local failure = findRoom()
if not failure then return { 'ROOM_EXISTS' } end
createRoom()
if ARGV[5] ~= '' then setDeadline(tonumber(ARGV[5]), tonumber(ARGV[6])) end
writePayment(ARGV[7])
if ARGV[8] ~= '' then redis.call('HSET', room, 'hook', ARGV[8]) end
return { 'OK', now, redis.call('HGET', room, ARGV[5] ~= '' and 'deadline' or 'until'), newEpoch }
