-- Opens or renews a room. Returns `[code]`, or `['OK', epoch, seq, left, deadline, isNew, members]`; `left` is ms until the deadline; both are empty without one. Own arguments: 1 to create.
local failure, epoch, ends, deadline = findRoom()
if failure and not (ARGV[5] == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
if failure then
  createRoom()
  epoch = newEpoch
else
  renewRetention(deadline)
end
return { 'OK', epoch, redis.call('HGET', room, 'seq'), deadline and deadline - now or '', deadline or '', failure and 1 or 0, redis.call('HGETALL', members) }
