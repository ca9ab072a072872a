-- Time by the clock of Redis, ms since the epoch: one clock for all nodes, and the one that keys expire by. A node's own clock may be off by a day.
local function redisNow()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
