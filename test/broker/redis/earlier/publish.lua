-- The script that published an event before nodes had channels, with its pieces in one file: what a node of that version does to a room.
-- Time by the clock of Redis, ms since the epoch: one clock for all nodes, and the one that keys expire by. A node's own clock may be off by a day.
local function redisNow()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- Start of every room script. A room is a hash: `epoch`, `fence`, `seq`, `created`, `until`, `last` and `active` (time of the last event, by the clock of its node and by
-- that of Redis), `stalled` (1 after a pause was reported), `furthest` (number and time of a milestone), `hook` (the URL of its webhooks, if it has one of its own),
-- `deadline` (of the payment link, if it has one), the payment, and `k:<key>` for every deduplication key. The hash of a closed room holds only `ended` and `until`. The
-- log is a list; the members are a hash with one field per node. The outbox is a list of the changes whose webhooks are not delivered yet; it outlives the room.
-- KEYS: room, log, members, outbox. ARGV: now (ms; empty: the clock of Redis), retention (ms), an unused epoch, the room's channel, then the script's own arguments.
local room, log, members, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, retention, newEpoch, channel = tonumber(ARGV[1]) or redisNow(), tonumber(ARGV[2]), ARGV[3], ARGV[4]
-- Redis expires keys a little later than our own clocks end rooms, so that there is one rule and not two.
local margin = 60000

-- Replication id of this master. Found as plain text, since a pattern is tried at each of the hundreds of characters before it, for each event.
local function fence()
  local info = redis.call('INFO', 'replication')
  local _, at = string.find(info, 'master_replid:', 1, true)
  return string.sub(info, at + 1, at + 40)
end

-- Postpones the end to a full retention from now. A room with a deadline keeps its end.
local function renewRetention(deadline)
  if deadline then return end
  redis.call('HSET', room, 'until', now + retention)
  for _, key in ipairs({ room, log, members }) do redis.call('PEXPIRE', key, retention + margin) end
end

-- Fields of the payment, in the order of src/broker/redis/state.ts.
local PAYMENT = { 'status', 'verified', 'step', 'method', 'fields', 'outcome', 'attempt', 'lastError', 'money', 'verdicts', 'ledger', 'link', 'updated', 'version' }

-- Writes the payment. fields: JSON of field, value, field, value …; an empty value deletes the field.
local function writePayment(fields)
  local values = cjson.decode(fields)
  for i = 1, #values, 2 do
    if values[i + 1] == '' then redis.call('HDEL', room, values[i]) else redis.call('HSET', room, values[i], values[i + 1]) end
  end
end

-- Sets the deadline of the payment link. ttl: ms until then. late: ms after it in which results are still taken; then the room ends.
local function setDeadline(ttl, late)
  redis.call('HSET', room, 'deadline', now + ttl, 'until', now + ttl + late)
  -- A room that had a deadline is remembered as closed for a retention after its end.
  for _, key in ipairs({ room, log, members }) do redis.call('PEXPIRE', key, ttl + late + retention + margin) end
end

local function createRoom()
  -- First a write that a full Redis refuses: after its first write, a script may go on without memory.
  redis.call('HSET', room, 'epoch', newEpoch)
  redis.call('DEL', room, log, members)
  redis.call('HSET', room, 'epoch', newEpoch, 'fence', fence(), 'seq', 0, 'created', now, 'until', now + retention)
  redis.call('PEXPIRE', room, retention + margin)
end

-- Returns the error code of a room that cannot be used; otherwise nil, the epoch, the end, the deadline, and the fields read, with seq as the
-- sixth, `stalled` as the seventh, and the fields of the payment that a device's event can change from the eighth on.
local function findRoom()
  local stored = redis.call('HMGET', room, 'epoch', 'fence', 'until', 'deadline', 'ended', 'seq', 'stalled', unpack(PAYMENT, 1, 7))
  local epoch, deadline = stored[1], stored[4]
  if not stored[3] then return 'ROOM_NOT_FOUND' end
  local ends = tonumber(stored[3])
  if stored[5] and ends > now then return 'ROOM_CLOSED' end
  if deadline and ends <= now and ends + retention > now then return 'ROOM_CLOSED' end
  if ends <= now then
    redis.call('DEL', room, log, members)
    return 'ROOM_NOT_FOUND'
  end
  -- Another master than the one that wrote the room may lack its last events and give their numbers again: then this is another log.
  local current = fence()
  if stored[2] ~= current then
    epoch = newEpoch
    redis.call('HSET', room, 'epoch', epoch, 'fence', current)
  end
  return nil, epoch, ends, deadline, stored
end

-- Changes in the outbox of a room. Beyond it the oldest one is dropped.
local MAX_OUTBOX = 1000

-- Appends a change to the outbox, with the payment as it is now. lifetime: ms for which the outbox is kept; empty if nobody wants the change. everyRoom: 1 if rooms
-- without a URL have webhooks too. Returns 1 if the change was appended, 2 if another one was dropped for it, 0 otherwise.
local function appendToOutbox(change, lifetime, everyRoom)
  if lifetime == '' then return 0 end
  local stored = redis.call('HMGET', room, 'created', 'hook', unpack(PAYMENT))
  if not stored[2] and everyRoom ~= '1' then return 0 end
  change.created, change.url, change.payment = stored[1], stored[2] or nil, { unpack(stored, 3, #PAYMENT + 2) }
  local length = redis.call('RPUSH', outbox, cjson.encode(change))
  redis.call('PEXPIRE', outbox, lifetime)
  if length <= MAX_OUTBOX then return 1 end
  redis.call('LPOP', outbox)
  return 2
end

-- Publishes an event, with its own arguments from ARGV[first] to ARGV[last]. Returns `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq, timestamp, receivers,
-- changed, isNewRoom, payment, isResumed, inOutbox]`, or, for a fact that was folded into another version of the payment, `['STALE', created, payment, deadline if it has
-- passed]`, or `['NOT_DUE']`. `payment` is empty unless a device's event has changed it; `isResumed` is 1 if the payment had stalled. Own arguments: 1 to create the room,
-- log size, origin, text of the message before and after its seq, timestamp, live nodes, kind of fact and its four values (for `fold`: version of the payment, its new
-- fields, 1 if its state changed), source, time until the new deadline of the link (ms, or empty), time for late results, the deadline that must have passed (or empty),
-- type of the event, lifetime of the outbox, 1 for webhooks of every room; then for each deduplication key its name, its fingerprint, and 1 if it is an Idempotency-Key.
local function publish(first, last)
  local create, size, origin, jsonPrefix, jsonSuffix, timestamp, nodes, kind, a, b, c, d, source, ttl, late, due, eventType, lifetime, everyRoom =
    unpack(ARGV, first, first + 18)
  -- Number of the first argument of the deduplication keys.
  local firstKey = first + 19
  create, size = create == '1', tonumber(size)
  local failure, epoch, ends, deadline, stored = findRoom()
  if failure and not (create and failure == 'ROOM_NOT_FOUND') then return { failure } end
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
    setDeadline(tonumber(ttl), tonumber(late))
    redis.call('SPUBLISH', channel, 'd' .. now + ttl .. '\t' .. ttl)
  elseif ends - now < retention * 15 / 16 then
    renewRetention(deadline)
  end
  -- Published last: a node that receives the event finds it in the log.
  redis.call('SPUBLISH', channel, 'e' .. epoch .. '\t' .. seq .. '\t' .. origin .. '\n' .. frame)
  local payment = changed == 1 and kind ~= 'fold' and redis.call('HMGET', room, unpack(PAYMENT)) or {}
  return { 'NEW', epoch, seq, timestamp, receivers, changed, failure and 1 or 0, payment, isResumed, inOutbox }
end

-- Publishes one event; see publish.lua.
return publish(5, #ARGV)

