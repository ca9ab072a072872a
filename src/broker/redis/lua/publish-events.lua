-- Publishes events one after the other, with no other event of the room between them. Own arguments: for each event the number of its arguments, then these; see
-- publish.lua. Returns 'OK' and the reply for each.
local replies = { 'OK' }
local at = 5
while at <= #ARGV do
  local last = at + tonumber(ARGV[at])
  replies[#replies + 1] = publish(at + 1, last)
  at = last + 1
end
return replies
