-- Closes a room. Returns `[code]`, or `['OK', epoch, seq, created, now, payment, isInOutbox]`. Own arguments: lifetime of the outbox, 1 for webhooks of every room.
local failure, epoch, _, _, here = findRoom()
if failure then return { failure } end
local seq, created = unpack(redis.call('HMGET', room, 'seq', 'created'))
local payment = redis.call('HMGET', room, unpack(PAYMENT))
local isInOutbox = appendToOutbox({ cause = 'closed', epoch = epoch, seq = seq, at = now }, ARGV[7], ARGV[8])
redis.call('DEL', room, log, members)
redis.call('HSET', room, 'ended', 1, 'until', now + retention)
redis.call('PEXPIRE', room, retention + margin)
tell(here, 'c', true)
return { 'OK', epoch, seq, created, now, payment, isInOutbox }
