-- The script that read a room before nodes had channels, with its pieces in one file.
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

-- Reads a room. Returns `[code]`, or `['OK', epoch, seq, created, until, last, deadline, payment, members, recovered, entries, now, isStalled]`.
-- Own arguments: 1 to read entries, and the position (epoch and seq) to read after.
local withEntries, fromEpoch, fromSeq = ARGV[5] == '1', ARGV[6], tonumber(ARGV[7])
local failure, epoch = findRoom()
if failure then return { failure } end
local stored = redis.call('HMGET', room, 'seq', 'created', 'until', 'last', 'deadline', 'stalled')
local recovered, entries = false, {}
if withEntries then
  local last = tonumber(stored[1])
  local first = last - redis.call('LLEN', log) + 1
  recovered = (fromEpoch == epoch or (fromEpoch == '' and fromSeq == 0)) and fromSeq >= first - 1 and fromSeq <= last
  entries = redis.call('LRANGE', log, recovered and fromSeq - first + 1 or 0, -1)
end
return { 'OK', epoch, stored[1], stored[2], stored[3], stored[4], stored[5], redis.call('HMGET', room, unpack(PAYMENT)), redis.call('HGETALL', members),
  recovered and 1 or 0, entries, now, stored[6] and 1 or 0 }

