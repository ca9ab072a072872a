-- Does what a node has for one room or for several, one after the other, with nothing else between: publishes events, opens, looks at and leaves rooms, announces members,
-- notes milestones.
-- KEYS: those of each room. Own arguments: those of all events, see publish.lua; then for each step the number of its room's first key, the number of its own arguments, and
-- these: the name of a step below, or the form of an event. Returns 'OK' and the reply to each, or `['ERR', message]` after an error, which costs the others nothing.
local STEPS = { open = openRoom, look = lookAtRoom, announce = announceMembers, leave = leaveRoom, furthest = noteFurthest }
local replies = { 'OK' }
local at = 12
while at <= #ARGV do
  local key, last = tonumber(ARGV[at]), at + 1 + tonumber(ARGV[at + 1])
  room, log, members, outbox = KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[key + 3]
  local isDone, reply = pcall(STEPS[ARGV[at + 2]] or publish, at + 2, last)
  if not isDone then
    local message = type(reply) == 'table' and reply.err or tostring(reply)
    -- A replica has written nothing. The client leaves it only if the call itself fails.
    if string.find(message, 'READONLY', 1, true) == 1 then return redis.error_reply(message) end
    reply = { 'ERR', message }
  end
  replies[#replies + 1] = reply
  at = last + 1
end
-- Sent last: a node that receives an event finds it in the log.
for node, records in pairs(outgoing) do
  if #records > 0 then redis.call('SPUBLISH', channelOf(node), table.concat(records)) end
end
return replies
