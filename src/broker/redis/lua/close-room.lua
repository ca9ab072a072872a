-- Closes a room. Returns `[code]`, or `['OK', epoch, seq, created, now, payment]`.
local failure, epoch = findRoom()
if failure then return { failure } end
local seq, created = unpack(redis.call('HMGET', room, 'seq', 'created'))
local payment = redis.call('HMGET', room, unpack(PAYMENT))
redis.call('DEL', room, log, members)
redis.call('HSET', room, 'ended', 1, 'until', now + retention)
redis.call('PEXPIRE', room, retention + margin)
redis.call('SPUBLISH', channel, 'c')
return { 'OK', epoch, seq, created, now, payment }
