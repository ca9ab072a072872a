-- Arguments of all events of a call: log size, live nodes (each between spaces), time for late results, 1 for webhooks of every room.
local size, nodes, late, everyRoom = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9]), ARGV[10]

local call, format = redis.call, string.format

-- Numbers become text once: a call or a concatenation would format them again each time, as floating point.
local nowText = format('%d', now)
-- Retention that is left when it is renewed: once in a sixteenth of it, not for every event of a burst.
local renewal = retention * 15 / 16
-- Where the room's id begins in every key.
local idAt = string.find(KEYS[1], '{', 1, true) + 1

-- Records for each other node, which are sent when all events of the call are logged, and what was read from each distinct list of nodes.
local outgoing, routes = {}, {}

-- Fields of the payment that each kind of fact is compared with.
local READS = {
  [''] = {},
  step = { 'status', 'step', 'method', 'fields' },
  claim = { 'status', 'verified', 'outcome' },
  fold = { 'status', 'version' }
}
local SETTLED = { succeeded = true, partially_refunded = true, refunded = true, disputed = true }

-- Reads a list of nodes. Returns the records for the other nodes, and the number of members that are connected to live nodes, with a sender among them and without.
local function routeOf(here)
  local route = routes[here]
  if route then return route end
  local members = 0
  route = { others = {} }
  for node, count in string.gmatch(here, '([^ =]+)=(%d+)') do
    if string.find(nodes, ' ' .. node .. ' ', 1, true) then members = members + count end
    if node ~= self then
      outgoing[node] = outgoing[node] or {}
      route.others[#route.others + 1] = outgoing[node]
    end
  end
  route.members, route.receivers = format('%d', members), format('%d', math.max(members - 1, 0))
  routes[here] = route
  return route
end

-- Folds a device's event into the payment, by the rules of src/payment/device-events.ts. a to d: the values of its kind; then the fields that were read for it. Returns a list
-- of field, value, field, value …, or nil if nothing changes.
local function foldFact(kind, a, b, c, d, status, second, third, fourth)
  status = status or 'pending'
  if kind == 'claim' then
    local isVerified, outcome = second, third
    if not (status == 'pending' or status == 'failed' and not isVerified) or a == status and b == outcome then return nil end
    return { 'status', a, 'outcome', b }
  end
  if kind ~= 'step' or SETTLED[status] then return nil end
  local step, method, fields = second, third, fourth
  local beginsAttempt = d == '1' and status == 'failed'
  local isNewMethod, areNewFields = b ~= '' and b ~= method, c ~= '' and c ~= fields
  if not (isNewMethod or areNewFields or beginsAttempt or a ~= step) then return nil end
  local changes = { 'step', a }
  if isNewMethod then changes[3], changes[4] = 'method', b end
  if areNewFields then changes[#changes + 1], changes[#changes + 2] = 'fields', c end
  if beginsAttempt then
    local outcome, attempt = unpack(call('HMGET', room, 'outcome', 'attempt'))
    for _, value in ipairs({ 'status', 'pending', 'attempt', (attempt or 1) + 1, 'lastError', outcome }) do changes[#changes + 1] = value end
    call('HDEL', room, 'outcome', 'verified', 'verdicts')
  end
  return changes
end

-- Sends an event to the other nodes of a room.
local function sendEvent(route, epoch, seq, origin, jsonPrefix, jsonSuffix)
  local head = 'e' .. epoch .. '\t' .. seq .. '\t' .. origin .. '\n'
  if not isByNode then return call('SPUBLISH', channels .. tagOf(room), head .. jsonPrefix .. seq .. jsonSuffix) end
  local record
  for _, records in ipairs(route.others) do
    record = record or string.sub(room, idAt, -2) .. '\t' .. format('%d', #head + #jsonPrefix + #seq + #jsonSuffix) .. '\n' .. head
    local n = #records
    -- In pieces, which are put together once.
    records[n + 1], records[n + 2], records[n + 3], records[n + 4] = record, jsonPrefix, seq, jsonSuffix
  end
end

-- Events that a log may have beyond its size, which read-room.lua does not show: dropping a dozen together is cheaper than one with every event.
local slack = math.min(12, math.floor(size / 8))
-- Events dropped in one step: more are in a log that was longer than its size is now.
local MAX_DROPPED = 100

-- Length of a log from which the room's hash is to be a table. Up to 512 fields with values of up to 64 bytes Redis keeps it as a list instead, which is smaller, but is
-- searched from its start for each field: that costs as much at 30 ids, and a fifth of an event more at 200.
local LONG = 48

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
  local seen, epoch, fenceOfRoom, ends, deadline, here, lastSeq, stalled, status, second, third, fourth = unpack(call('HMGET', room,
    'k:' .. (ARGV[firstKey] or ''), 'epoch', 'fence', 'until', 'deadline', 'here', 'seq', 'stalled', unpack(READS[kind])))
  local failure
  ends, here = tonumber(ends or ''), here or ' '
  -- A closed room has no epoch. Anything else than a room in use is found out in a read of its own.
  if not epoch or fenceOfRoom ~= fence() or ends <= now then
    failure, epoch, ends, deadline, here = findRoom()
    if failure and not (create == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
    if failure then
      createRoom()
      epoch, ends, here = newEpoch, now + retention, ' '
      seen, lastSeq, stalled, status, second, third, fourth = nil
    end
  end

  for i = firstKey, last, 3 do
    if i > firstKey then seen = call('HGET', room, 'k:' .. ARGV[i]) end
    if seen then
      local seq, at, receivers, fingerprint = string.match(seen, '^(%d+) (%d+) (%d+) (.*)$')
      if fingerprint ~= ARGV[i + 1] then return { 'ID_CONFLICT' } end
      return { ARGV[i + 2] == '1' and 'REPEATED' or 'DUPLICATE', epoch, seq, at, receivers, 0, 0, {}, 0, 0 }
    end
  end

  if source == 'device' and deadline and now >= tonumber(deadline) then return { 'ROOM_CLOSED', 'expired' } end
  if due ~= '' and (due ~= deadline or now < tonumber(due)) then return { 'NOT_DUE' } end
  -- A created room has terms before its first event.
  if kind == 'fold' and (second or status and 'created' or '') ~= a and not failure then
    local overdue = deadline and now >= tonumber(deadline) and deadline or ''
    return { 'STALE', call('HGET', room, 'created'), call('HMGET', room, unpack(PAYMENT)), overdue }
  end

  local route = routeOf(here)
  local receivers = origin == '' and route.members or route.receivers
  local seq = format('%d', (lastSeq or 0) + 1)
  local names, memory = '', seq .. ' ' .. timestamp .. ' ' .. receivers .. ' '
  for i = firstKey, last, 3 do names = names .. '\t' .. ARGV[i] end
  local length = call('RPUSH', log, origin .. (names == '' and '\t' or names) .. '\n' .. jsonPrefix .. seq .. jsonSuffix)
  if length == 1 then call('PEXPIRE', log, call('PTTL', room)) end
  if length == LONG then call('HSET', room, 'wide', string.rep('-', 65)) end
  if length > size + slack then trim(length) end

  if stalled then call('HDEL', room, 'stalled') end
  local changes = foldFact(kind, a, b, c, d, status, second, third, fourth)
  local isChanged = changes ~= nil
  if kind == 'fold' then
    writePayment(b)
    changes, isChanged = {}, c == '1'
  end
  if changes then
    for _, value in ipairs({ 'version', seq, 'seq', seq, 'last', timestamp, 'active', nowText }) do changes[#changes + 1] = value end
    if kind ~= 'fold' then changes[#changes + 1], changes[#changes + 2] = 'updated', timestamp end
    for i = firstKey, last, 3 do changes[#changes + 1], changes[#changes + 2] = 'k:' .. ARGV[i], memory .. ARGV[i + 1] end
    call('HSET', room, unpack(changes))
  elseif firstKey > last then
    call('HSET', room, 'seq', seq, 'last', timestamp, 'active', nowText)
  else
    call('HSET', room, 'seq', seq, 'last', timestamp, 'active', nowText, 'k:' .. ARGV[firstKey], memory .. ARGV[firstKey + 1])
    for i = firstKey + 3, last, 3 do call('HSET', room, 'k:' .. ARGV[i], memory .. ARGV[i + 1]) end
  end
  local inOutbox = 0
  if isChanged and lifetime ~= '' then
    inOutbox = appendToOutbox({ cause = 'event', type = eventType, epoch = epoch, seq = tonumber(seq), at = timestamp }, lifetime, everyRoom)
  end
  if ttl ~= '' then
    setDeadline(tonumber(ttl), late)
    tell(here, 'd' .. now + ttl .. '\t' .. ttl, true)
  elseif ends - now < renewal then
    renewRetention(deadline)
  end
  sendEvent(route, epoch, seq, origin, jsonPrefix, jsonSuffix)
  local payment = isChanged and kind ~= 'fold' and call('HMGET', room, unpack(PAYMENT)) or {}
  return { 'NEW', epoch, seq, timestamp, receivers, isChanged and 1 or 0, failure and 1 or 0, payment, stalled and 1 or 0, inOutbox }
end
