-- Notes a milestone that a payment has reached. Returns `[code]`, or `['OK', isFurther, number, at]`, with the furthest milestone before, empty if there was none.
-- Own arguments: `furthest`, number of the milestone, time (ms since the epoch).
local function noteFurthest(first)
  local failure = findRoom()
  if failure then return { failure } end
  local number, at = string.match(redis.call('HGET', room, 'furthest') or '', '^(%d+) (%d+)$')
  if number and tonumber(number) >= tonumber(ARGV[first + 1]) then return { 'OK', 0, number, at } end
  redis.call('HSET', room, 'furthest', ARGV[first + 1] .. ' ' .. ARGV[first + 2])
  return { 'OK', 1, number or '', at or '' }
end
