-- Notes a milestone that a payment has reached. Returns `[code]`, or `['OK', isFurther, number, at]`, with the furthest milestone before, empty if there was none.
-- Own arguments: number of the milestone, time (ms since the epoch).
local failure = findRoom()
if failure then return { failure } end
local number, at = string.match(redis.call('HGET', room, 'furthest') or '', '^(%d+) (%d+)$')
if number and tonumber(number) >= tonumber(ARGV[7]) then return { 'OK', 0, number, at } end
redis.call('HSET', room, 'furthest', ARGV[7] .. ' ' .. ARGV[8])
return { 'OK', 1, number or '', at or '' }
