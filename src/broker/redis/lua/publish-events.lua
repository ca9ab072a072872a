-- Publishes events of one room or of several, one after the other, with no other event between them. KEYS: those of each room. Own arguments: those of all events, see
-- publish.lua; then for each event the number of its room's first key, the number of its own arguments, and these. Returns 'OK' and the reply for each: that of publish(),
-- or `['ERR', message]` after an error, which costs the other events nothing.
local replies = { 'OK' }
local at = 12
while at <= #ARGV do
  local key, last = tonumber(ARGV[at]), at + 1 + tonumber(ARGV[at + 1])
  room, log, members, outbox = KEYS[key], KEYS[key + 1], KEYS[key + 2], KEYS[key + 3]
  local isDone, reply = pcall(publish, at + 2, last)
  if not isDone then
    local message = type(reply) == 'table' and reply.err or tostring(reply)
    -- A replica has written none of the events. The client leaves it only if the call itself fails.
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
