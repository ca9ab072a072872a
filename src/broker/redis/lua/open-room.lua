-- Opens or renews a room. Returns `[code]`, or `['OK', epoch, seq, left, isNew, members]`; `left` is ms until the deadline, or empty. Own arguments: 1 to create.
local failure, epoch, ends, fixed = findRoom()
if failure and not (ARGV[5] == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
if failure then
  createRoom()
  epoch = newEpoch
else
  renewRetention(fixed)
end
return { 'OK', epoch, redis.call('HGET', room, 'seq'), fixed and ends - now or '', failure and 1 or 0, redis.call('HGETALL', members) }
