-- Notes that a payment has stalled. Returns `[code]`, or `['OK', isNew, left, epoch, seq, isInOutbox]`; `left` is ms until the payment stalls, empty if it has or does not wait
-- for the payer. Own arguments: time without an event after which a payment stalls (ms), lifetime of the outbox, 1 for webhooks of every room.
local failure, epoch, _, _, here = findRoom()
if failure then return { failure } end
local seq, last, active, stalled, status, step = unpack(redis.call('HMGET', room, 'seq', 'last', 'active', 'stalled', 'status', 'step'))
if stalled or not step or (status or 'pending') ~= 'pending' then return { 'OK', 0, '', epoch, seq, 0 } end
local left = (active or last) + ARGV[7] - now
if left > 0 then return { 'OK', 0, left, epoch, seq, 0 } end
redis.call('HSET', room, 'stalled', 1)
local isInOutbox = appendToOutbox({ cause = 'stalled', epoch = epoch, seq = seq, at = now }, ARGV[8], ARGV[9])
tell(here, 's' .. epoch .. '\t' .. seq .. '\t' .. last .. '\t' .. step, true)
return { 'OK', 1, '', epoch, seq, isInOutbox }
