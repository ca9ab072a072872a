-- Publishes an event of the current room, with its own arguments from ARGV[first] to ARGV[last]. Returns `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq,
-- timestamp, receivers, changed, isNewRoom, payment, isResumed, inOutbox]`, or, for a fact that was folded into another version of the payment, `['STALE', created, payment,
-- deadline if it has passed]`, or `['NOT_DUE']`. `payment` is empty unless a device's event has changed it; `isResumed` is 1 if the payment had stalled. Arguments of all
-- events of a call: log size, live nodes, time for late results, 1 for webhooks of every room. Own arguments: 1 to create the room, origin, text of the message before and
-- after its seq, timestamp, kind of fact and its four values (for `fold`: version of the payment, its new fields, 1 if its state changed), source, time until the new
-- deadline of the link (ms, or empty), the deadline that must have passed (or empty), type of the event, lifetime of the outbox; then for each deduplication key its name,
-- its fingerprint, and 1 if it is an Idempotency-Key.
local size, nodes, late, everyRoom = tonumber(ARGV[5]), ARGV[6], tonumber(ARGV[7]), ARGV[8]
local function publish(first, last)
  local create, origin, jsonPrefix, jsonSuffix, timestamp, kind, a, b, c, d, source, ttl, due, eventType, lifetime = unpack(ARGV, first, first + 14)
  -- Number of the first argument of the deduplication keys.
  local firstKey = first + 15
  local failure, epoch, ends, deadline, stored = findRoom()
  if failure and not (create == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
  if failure then
    createRoom()
    epoch, ends, stored = newEpoch, now + retention, {}
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

  local receivers = origin == '' and 0 or -1
  local nodeMembers = redis.call('HGETALL', members)
  for i = 1, #nodeMembers, 2 do
    if string.find(nodes, ' ' .. nodeMembers[i] .. ' ', 1, true) then receivers = receivers + tonumber(string.match(nodeMembers[i + 1], '^%d+')) end
  end
  if receivers < 0 then receivers = 0 end

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
  if length > size then
    local dropped = redis.call('LPOP', log)
    for name in string.gmatch(string.match(dropped, '^[^\t]*\t([^\n]*)'), '[^\t]+') do redis.call('HDEL', room, 'k:' .. name) end
  end

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
    redis.call('SPUBLISH', channel, 'd' .. now + ttl .. '\t' .. ttl)
  elseif ends - now < retention * 15 / 16 then
    renewRetention(deadline)
  end
  -- Published last: a node that receives the event finds it in the log.
  redis.call('SPUBLISH', channel, 'e' .. epoch .. '\t' .. seq .. '\t' .. origin .. '\n' .. frame)
  local payment = changed == 1 and kind ~= 'fold' and redis.call('HMGET', room, unpack(PAYMENT)) or {}
  return { 'NEW', epoch, seq, timestamp, receivers, changed, failure and 1 or 0, payment, isResumed, inOutbox }
end
