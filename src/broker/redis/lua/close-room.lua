-- Closes a room. Returns `[code]`, or `['OK']`.
local failure = findRoom()
if failure then return { failure } end
redis.call('DEL', room, log, members)
redis.call('HSET', room, 'ended', 1, 'until', now + retention)
redis.call('PEXPIRE', room, retention + margin)
redis.call('SPUBLISH', channel, 'c')
return { 'OK' }
