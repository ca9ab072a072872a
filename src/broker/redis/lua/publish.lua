-- Arguments of all events of a call: log size, live nodes (each between spaces), time for late results, 1 for webhooks of every room.
local size, nodes, late, everyRoom = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9]), ARGV[10]

-- Records for each other node, which are sent when all events of the call are logged, and what was read from each distinct list of nodes.
local outgoing, routes = {}, {}

-- Reads a list of nodes. Returns the other nodes, and the number of members that are connected to live nodes.
local function routeOf(here)
  local route = routes[here]
  if route then return route end
  route = { others = {}, members = 0 }
  for node, count in string.gmatch(here, '([^ =]+)=(%d+)') do
    if string.find(nodes, ' ' .. node .. ' ', 1, true) then route.members = route.members + count end
    if node ~= self then route.others[#route.others + 1] = node end
  end
  routes[here] = route
  return route
end

-- Events that a log may have beyond its size, which read-room.lua does not show: dropping a dozen together is cheaper than one with every event.
local slack = math.min(12, math.floor(size / 8))
-- Events dropped in one step: more are in a log that was longer than its size is now.
local MAX_DROPPED = 100

-- Drops the oldest events beyond the log size, and their deduplication keys.
local function trim(length)
  local names = {}
  for _, dropped in ipairs(redis.call('LPOP', log, math.min(length - size, MAX_DROPPED))) do
    for name in string.gmatch(string.match(dropped, '^[^\t]*\t([^\n]*)'), '[^\t]+') do names[#names + 1] = 'k:' .. name end
  end
  if #names > 0 then redis.call('HDEL', room, unpack(names)) end
end

-- Publishes an event of the current room, with its own arguments from ARGV[first] to ARGV[last]. Returns `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq,
-- timestamp, receivers, changed, isNewRoom, payment, isResumed, inOutbox]`, or, for a fact that was folded into another version of the payment, `['STALE', created, payment,
-- deadline if it has passed]`, or `['NOT_DUE']`. `payment` is empty unless a device's event has changed it; `isResumed` is 1 if the payment had stalled. Own arguments: 1 to create the room, origin, text of the message before and
-- after its seq, timestamp, kind of fact and its four values (for `fold`: version of the payment, its new fields, 1 if its state changed), source, time until the new
-- deadline of the link (ms, or empty), the deadline that must have passed (or empty), type of the event, lifetime of the outbox; then for each deduplication key its name,
-- its fingerprint, and 1 if it is an Idempotency-Key.
local function publish(first, last)
  local create, origin, jsonPrefix, jsonSuffix, timestamp, kind, a, b, c, d, source, ttl, due, eventType, lifetime = unpack(ARGV, first, first + 14)
  -- Number of the first argument of the deduplication keys.
  local firstKey = first + 15
  local failure, epoch, ends, deadline, stored, here = findRoom()
  if failure and not (create == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
  if failure then
    createRoom()
    epoch, ends, stored, here = newEpoch, now + retention, {}, ' '
  end

  for i = firstKey, last, 3 do
    local seen = redis.call('HGET', room, 'k:' .. ARGV[i])
    if seen then
      local seq, at, receivers, fingerprint = string.match(seen, '^(%d+) (%d+) (%d+) (.*)$')
      if fingerprint ~= ARGV[i + 1] then return { 'ID_CONFLICT' } end
      return { ARGV[i + 2] == '1' and 'REPEATED' or 'DUPLICATE', epoch, seq, at, receivers, 0, 0, {}, 0, 0 }
    end
  end

  if source == 'device' and deadline and now >= tonumber(deadline) then return { 'ROOM_CLOSED', 'expired' } end
  if due ~= '' and (due ~= deadline or now < tonumber(due)) then return { 'NOT_DUE' } end
  if kind == 'fold' and not failure then
    local payment = redis.call('HMGET', room, unpack(PAYMENT))
    -- A created room has terms before its first event.
    if (payment[14] or payment[1] and 'created' or '') ~= a then return { 'STALE', redis.call('HGET', room, 'created'), payment, deadline and now >= tonumber(deadline) and deadline or '' } end
  end

  local route = routeOf(here)
  local receivers = route.members
  if origin ~= '' and receivers > 0 then receivers = receivers - 1 end

  local seq = (stored[6] or 0) + 1
  local frame = jsonPrefix .. seq .. jsonSuffix
  local patch = { 'seq', seq, 'last', timestamp, 'active', now }
  local names = {}
  for i = firstKey, last, 3 do
    names[#names + 1] = ARGV[i]
    patch[#patch + 1] = 'k:' .. ARGV[i]
    patch[#patch + 1] = seq .. ' ' .. timestamp .. ' ' .. receivers .. ' ' .. ARGV[i + 1]
  end
  local length = redis.call('RPUSH', log, origin .. '\t' .. table.concat(names, '\t') .. '\n' .. frame)
  if length == 1 then redis.call('PEXPIRE', log, redis.call('PTTL', room)) end
  if length > size + slack then trim(length) end

  -- The payment's state. A device's event is folded by the rules of src/payment/device-events.ts.
  local changed = 0
  local function set(field, value)
    patch[#patch + 1] = field
    patch[#patch + 1] = value
    changed = 1
  end
  local isResumed = stored[7] and 1 or 0
  if isResumed == 1 then redis.call('HDEL', room, 'stalled') end
  local status, isVerified = stored[8] or 'pending', stored[9]
  local isSettled = status == 'succeeded' or status == 'partially_refunded' or status == 'refunded' or status == 'disputed'
  if kind == 'step' and not isSettled then
    local beginsAttempt = d == '1' and status == 'failed'
    if b ~= '' and b ~= stored[11] then set('method', b) end
    if c ~= '' and c ~= stored[12] then set('fields', c) end
    if changed == 1 or beginsAttempt or a ~= stored[10] then set('step', a) end
    if beginsAttempt then
      set('status', 'pending')
      set('attempt', (stored[14] or 1) + 1)
      set('lastError', stored[13])
      redis.call('HDEL', room, 'outcome', 'verified', 'verdicts')
    end
  elseif kind == 'claim' and (status == 'pending' or status == 'failed' and not isVerified) and (a ~= status or b ~= stored[13]) then
    set('status', a)
    set('outcome', b)
  end
  if changed == 1 then set('updated', timestamp) end
  if kind == 'fold' then
    writePayment(b)
    if c == '1' then changed = 1 end
  end
  if changed == 1 or kind == 'fold' then
    patch[#patch + 1] = 'version'
    patch[#patch + 1] = seq
  end
  redis.call('HSET', room, unpack(patch))
  local inOutbox = 0
  if changed == 1 and lifetime ~= '' then
    inOutbox = appendToOutbox({ cause = 'event', type = eventType, epoch = epoch, seq = seq, at = timestamp }, lifetime, everyRoom)
  end
  -- Renewed once in a sixteenth of the retention, not for every event of a burst.
  if ttl ~= '' then
    setDeadline(tonumber(ttl), late)
    tell(here, 'd' .. now + ttl .. '\t' .. ttl, true)
  elseif ends - now < retention * 15 / 16 then
    renewRetention(deadline)
  end
  local message = 'e' .. epoch .. '\t' .. seq .. '\t' .. origin .. '\n' .. frame
  if not isByNode then
    tell(here, message)
  elseif #route.others > 0 then
    local record = recordOf(message)
    for _, node in ipairs(route.others) do
      local records = outgoing[node]
      if records then records[#records + 1] = record else outgoing[node] = { record } end
    end
  end
  local payment = changed == 1 and kind ~= 'fold' and redis.call('HMGET', room, unpack(PAYMENT)) or {}
  return { 'NEW', epoch, seq, timestamp, receivers, changed, failure and 1 or 0, payment, isResumed, inOutbox }
end
