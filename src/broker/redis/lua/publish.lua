-- Arguments of all events of a call: log size, live nodes (each between spaces), time for late results, lifetime of the outbox, 1 for webhooks of every room.
local size, nodes, late, lifetime, everyRoom = tonumber(ARGV[7]), ARGV[8], tonumber(ARGV[9]), ARGV[10], ARGV[11]

local call, format = redis.call, string.format

-- Numbers become text once: a call or a concatenation would format them again each time, as floating point.
local nowText = format('%d', now)
-- Start of the room's id in every key.
local idAt = string.find(KEYS[1], '{', 1, true) + 1

-- Records for each other node, which are sent when all events of the call are logged; and what was read from each distinct list of nodes, and form of an event.
local outgoing, routes, forms = {}, {}, {}

-- Fields of the payment that each kind of fact is compared with, and the number of its values.
local READS = { [''] = {}, step = { 'status', 'step' }, claim = { 'status', 'verified', 'outcome' }, fold = { 'status', 'version' } }
local VALUES = { [''] = 0, step = 0, claim = 2, fold = 3 }
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

-- Reads the form of an event: `flags kind type`. Flags: `c` creates a missing room, `d` comes from a device, `w` is wanted by webhooks, `a` begins an attempt after a failure,
-- `m` sets the method, `f` sets the fields, `t` has a deadline: the time until a new one, and the one that must have passed. Kind: of fact, see src/broker/redis/state.ts.
local function formOf(text)
  local form = forms[text]
  if form then return form end
  local flags, kind, type = string.match(text, '^(%a*) (%a*) (.*)$')
  local function has(flag) return string.find(flags, flag, 1, true) ~= nil end
  local reads = { unpack(READS[kind]) }
  form = {
    kind = kind, type = type, mayCreate = has('c'), isFromDevice = has('d'), isWanted = has('w'), mayBeginAttempt = has('a'), hasTimes = has('t'), reads = reads,
    detail = has('m') and 'method' or has('f') and 'fields'
  }
  if form.detail then reads[#reads + 1] = form.detail end
  form.values = VALUES[kind] + (form.detail and 1 or 0)
  forms[text] = form
  return form
end

-- Folds a device's event into the payment, by the rules of src/payment/device-events.ts. a, b: its values; then the fields that were read for its form. Returns a list of
-- field, value, field, value …, or nil if nothing changes.
local function foldFact(form, a, b, status, second, third)
  status = status or 'pending'
  if form.kind == 'claim' then
    local isVerified, outcome = second, third
    if not (status == 'pending' or status == 'failed' and not isVerified) or a == status and b == outcome then return nil end
    return { 'status', a, 'outcome', b }
  end
  if form.kind ~= 'step' or SETTLED[status] then return nil end
  local step, detail = second, third
  local beginsAttempt = form.mayBeginAttempt and status == 'failed'
  local isNewDetail = form.detail and a ~= detail
  if not (isNewDetail or beginsAttempt or form.type ~= step) then return nil end
  local changes = { 'step', form.type }
  if isNewDetail then changes[3], changes[4] = form.detail, a end
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
  for _, dropped in ipairs(call('LPOP', log, math.min(length - size, MAX_DROPPED))) do
    for name in string.gmatch(string.match(dropped, '^[^\t]*\t([^\n]*)'), '[^\t]+') do names[#names + 1] = 'k:' .. name end
  end
  if #names > 0 then call('HDEL', room, unpack(names)) end
end

-- Publishes an event of the current room, with its own arguments from ARGV[first] to ARGV[last]. Own arguments: form, origin, text of the message before and after its seq,
-- timestamp; the values of its kind (of a step: the new method or fields, if any; of a claim: status, outcome; of a fold: version of the payment, its new fields, 1 if its
-- state changed); with the flag `t` the time until the new deadline of the link (ms, or empty) and the deadline that must have passed (or empty); then for each
-- deduplication key its name and its fingerprint. Returns the text `seq receivers epoch` for a new event of which there is no more to say, since a table costs more on both
-- sides; otherwise `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq, timestamp, receivers, changed, isNewRoom, payment, isResumed, inOutbox]`, or, for a fact that
-- was folded into another version of the payment, `['STALE', created, payment, deadline if it has passed]`, or `['NOT_DUE']`. `payment` is empty unless a device's event has
-- changed it; `isResumed` is 1 if the payment had stalled.
local function publish(first, last)
  local form, origin, jsonPrefix, jsonSuffix, timestamp, a, b, c = unpack(ARGV, first, first + 7)
  form = formOf(form)
  -- Number of the first argument of the deduplication keys.
  local firstKey = first + 5 + form.values
  local ttl, due = '', ''
  if form.hasTimes then ttl, due, firstKey = ARGV[firstKey], ARGV[firstKey + 1], firstKey + 2 end
  local seen, epoch, fenceOfRoom, ends, deadline, here, lastSeq, stalled, status, second, third = unpack(call('HMGET', room,
    firstKey < last and 'k:' .. ARGV[firstKey] or 'k:', 'epoch', 'fence', 'until', 'deadline', 'here', 'seq', 'stalled', unpack(form.reads)))
  local failure
  ends, here = tonumber(ends or ''), here or ' '
  -- A closed room has no epoch. Anything else than a room in use is found out in a read of its own.
  if not epoch or fenceOfRoom ~= fence() or ends <= now then
    failure, epoch, ends, deadline, here = findRoom()
    if failure and not (form.mayCreate and failure == 'ROOM_NOT_FOUND') then return { failure } end
    if failure then
      createRoom()
      epoch, ends, here = newEpoch, now + retention, ' '
      seen, lastSeq, stalled, status, second, third = nil
    end
  end

  for i = firstKey, last, 2 do
    if i > firstKey then seen = call('HGET', room, 'k:' .. ARGV[i]) end
    if seen then
      local seq, at, receivers, fingerprint = string.match(seen, '^(%d+) (%d+) (%d+) (.*)$')
      if fingerprint ~= ARGV[i + 1] then return { 'ID_CONFLICT' } end
      -- The name of an Idempotency-Key begins so, see src/broker/event-draft.ts.
      return { string.find(ARGV[i], 'request ', 1, true) == 1 and 'REPEATED' or 'DUPLICATE', epoch, seq, at, receivers, 0, 0, {}, 0, 0 }
    end
  end

  if form.isFromDevice and deadline and now >= tonumber(deadline) then return { 'ROOM_CLOSED', 'expired' } end
  if due ~= '' and (due ~= deadline or now < tonumber(due)) then return { 'NOT_DUE' } end
  -- A created room has terms before its first event.
  if form.kind == 'fold' and (second or status and 'created' or '') ~= a and not failure then
    local overdue = deadline and now >= tonumber(deadline) and deadline or ''
    return { 'STALE', call('HGET', room, 'created'), call('HMGET', room, unpack(PAYMENT)), overdue }
  end

  local route = routeOf(here)
  local receivers = origin == '' and route.members or route.receivers
  local seq = format('%d', (lastSeq or 0) + 1)
  local names, memory = '', seq .. ' ' .. timestamp .. ' ' .. receivers .. ' '
  for i = firstKey, last, 2 do names = names .. '\t' .. ARGV[i] end
  local length = call('RPUSH', log, origin .. (names == '' and '\t' or names) .. '\n' .. jsonPrefix .. seq .. jsonSuffix)
  if length == 1 then call('PEXPIRE', log, call('PTTL', room)) end
  if length == LONG then call('HSET', room, 'wide', string.rep('-', 65)) end
  if length > size + slack then trim(length) end

  if stalled then call('HDEL', room, 'stalled') end
  local changes = foldFact(form, a, b, status, second, third)
  local isChanged = changes ~= nil
  if form.kind == 'fold' then
    writePayment(b)
    changes, isChanged = {}, c == '1'
  end
  if changes then
    for _, value in ipairs({ 'version', seq, 'seq', seq, 'last', timestamp, 'active', nowText }) do changes[#changes + 1] = value end
    if form.kind ~= 'fold' then changes[#changes + 1], changes[#changes + 2] = 'updated', timestamp end
    for i = firstKey, last, 2 do changes[#changes + 1], changes[#changes + 2] = 'k:' .. ARGV[i], memory .. ARGV[i + 1] end
    call('HSET', room, unpack(changes))
  elseif firstKey > last then
    call('HSET', room, 'seq', seq, 'last', timestamp, 'active', nowText)
  else
    call('HSET', room, 'seq', seq, 'last', timestamp, 'active', nowText, 'k:' .. ARGV[firstKey], memory .. ARGV[firstKey + 1])
    for i = firstKey + 2, last, 2 do call('HSET', room, 'k:' .. ARGV[i], memory .. ARGV[i + 1]) end
  end
  local inOutbox = 0
  if isChanged and form.isWanted then
    inOutbox = appendToOutbox({ cause = 'event', type = form.type, epoch = epoch, seq = tonumber(seq), at = timestamp }, lifetime, everyRoom)
  end
  if ttl ~= '' then
    setDeadline(tonumber(ttl), late)
    tell(here, 'd' .. now + ttl .. '\t' .. ttl, true)
  elseif ends - now < renewal then
    renewRetention(deadline)
  end
  sendEvent(route, epoch, seq, origin, jsonPrefix, jsonSuffix)
  if not (changes or failure or stalled) then return seq .. ' ' .. receivers .. ' ' .. epoch end
  local payment = isChanged and form.kind ~= 'fold' and call('HMGET', room, unpack(PAYMENT)) or {}
  return { 'NEW', epoch, seq, timestamp, receivers, isChanged and 1 or 0, failure and 1 or 0, payment, stalled and 1 or 0, inOutbox }
end
