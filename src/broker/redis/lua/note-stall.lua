-- Notes that a payment has stalled. Returns `[code]`, or `['OK', isNew, left, epoch, seq]`; `left` is ms until the payment stalls, empty if it has or does not wait
-- for the payer. Own arguments: time without an event after which a payment stalls (ms).
local failure, epoch = findRoom()
if failure then return { failure } end
local seq, last, active, stalled, status, step = unpack(redis.call('HMGET', room, 'seq', 'last', 'active', 'stalled', 'status', 'step'))
if stalled or not step or (status or 'pending') ~= 'pending' then return { 'OK', 0, '', epoch, seq } end
local left = (active or last) + ARGV[5] - now
if left > 0 then return { 'OK', 0, left, epoch, seq } end
redis.call('HSET', room, 'stalled', 1)
redis.call('SPUBLISH', channel, 's' .. epoch .. '\t' .. seq .. '\t' .. last .. '\t' .. step)
return { 'OK', 1, '', epoch, seq }
