-- Publishes an event. Returns `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq, timestamp, receivers, changed, isNewRoom]`. Own arguments: 1 to create the
-- room, log size, origin, text of the message before and after its seq, timestamp, live nodes, kind of fact and its three values; then for each deduplication
-- key its name, its fingerprint, and 1 if it is an Idempotency-Key.
local create, size, origin, jsonPrefix, jsonSuffix, timestamp, nodes = ARGV[5] == '1', tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local kind, a, b, c = ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local failure, epoch, ends, fixed, stored = findRoom()
if failure and not (create and failure == 'ROOM_NOT_FOUND') then return { failure } end
if failure then
  createRoom()
  epoch, ends, stored = newEpoch, now + retention, {}
end

for i = 16, #ARGV, 3 do
  local seen = redis.call('HGET', room, 'k:' .. ARGV[i])
  if seen then
    local seq, at, receivers, fingerprint = string.match(seen, '^(%d+) (%d+) (%d+) (.*)$')
    if fingerprint ~= ARGV[i + 1] then return { 'ID_CONFLICT' } end
    return { ARGV[i + 2] == '1' and 'REPEATED' or 'DUPLICATE', epoch, seq, at, receivers, 0, 0 }
  end
end

local receivers = origin == '' and 0 or -1
local nodeMembers = redis.call('HGETALL', members)
for i = 1, #nodeMembers, 2 do
  if string.find(nodes, ' ' .. nodeMembers[i] .. ' ', 1, true) then receivers = receivers + tonumber(string.match(nodeMembers[i + 1], '^%d+')) end
end
if receivers < 0 then receivers = 0 end

local seq = (stored[6] or 0) + 1
local frame = jsonPrefix .. seq .. jsonSuffix
local patch = { 'seq', seq, 'last', timestamp }
local names = {}
for i = 16, #ARGV, 3 do
  names[#names + 1] = ARGV[i]
  patch[#patch + 1] = 'k:' .. ARGV[i]
  patch[#patch + 1] = seq .. ' ' .. timestamp .. ' ' .. receivers .. ' ' .. ARGV[i + 1]
end
local length = redis.call('RPUSH', log, origin .. '\t' .. table.concat(names, '\t') .. '\n' .. frame)
if length == 1 then redis.call('PEXPIRE', log, redis.call('PTTL', room)) end
if length > size then
  local dropped = redis.call('LPOP', log)
  for name in string.gmatch(string.match(dropped, '^[^\t]*\t([^\n]*)'), '[^\t]+') do redis.call('HDEL', room, 'k:' .. name) end
end

-- The payment's state, by the rules of src/payment/state.ts: ranks are 1 a claimed error, 2 a claimed success, 3 and 4 the verified ones.
local changed = 0
local function set(field, value)
  patch[#patch + 1] = field
  patch[#patch + 1] = value
  changed = 1
end
if kind ~= '' then
  local rank = tonumber(stored[7] or 0)
  if kind == 'result' then
    local new = tonumber(a)
    if new > rank or (new == rank and new % 2 == 1 and b ~= stored[8]) then
      set('rank', a)
      set('outcome', b)
    end
  elseif rank % 2 == 1 or rank == 0 then
    if b ~= '' and b ~= stored[10] then set('method', b) end
    if c ~= '' and c ~= stored[11] then set('fields', c) end
    if changed == 1 or a ~= stored[9] then set('step', a) end
  end
  if changed == 1 then set('updated', timestamp) end
end
redis.call('HSET', room, unpack(patch))
-- Renewed once in a sixteenth of the retention, not for every event of a burst.
if ends - now < retention * 15 / 16 then renewRetention(fixed) end
-- Published last: a node that receives the event finds it in the log.
redis.call('SPUBLISH', channel, 'e' .. epoch .. '\t' .. seq .. '\t' .. origin .. '\n' .. frame)
return { 'NEW', epoch, seq, timestamp, receivers, changed, failure and 1 or 0 }
