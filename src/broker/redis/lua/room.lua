-- Start of every room script. A room is a hash: `epoch`, `fence`, `seq`, `created`, `until`, `last` and `active` (time of the last event, by the clock of its node and by
-- that of Redis), `stalled` (1 after a pause was reported), `furthest` (number and time of a milestone), `hook` (the URL of its webhooks, if it has one of its own),
-- `deadline` (of the payment link, if it has one), `here` (the nodes that the room's messages go to, and the number of connected members on each: ` node=2 other=0 `),
-- `wide` (without meaning: Redis keeps a hash with a long value as a table, see publish.lua), the payment, and `k:<key>` for every deduplication key. The hash of a closed
-- room holds only `ended` and `until`. The log is a list; the members are a hash with one field per node. The outbox is a list of the changes whose webhooks are not
-- delivered yet; it outlives the room.
-- KEYS: room, log, members, outbox. ARGV: now (ms; empty: the clock of Redis), retention (ms), an unused epoch, this node, start of every channel, 1 if each node has a channel
-- (in a cluster each room has one: a script may use the slot of its keys alone), then the script's own arguments.
-- A script on several rooms sets the keys for one after the other.
local room, log, members, outbox = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local now, retention, newEpoch, self, channels, isByNode = tonumber(ARGV[1]) or redisNow(), tonumber(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], ARGV[6] == '1'
-- Redis expires keys a little later than our own clocks end rooms, so that there is one rule and not two.
local margin = 60000

-- Replication id of this master, which does not change during a script. Found as plain text, since a pattern is tried at each of the hundreds of characters before it.
local master
local function fence()
  if master then return master end
  local info = redis.call('INFO', 'replication')
  local _, at = string.find(info, 'master_replid:', 1, true)
  master = string.sub(info, at + 1, at + 40)
  return master
end

-- Id of the room in braces, as in its keys and channels.
local function tagOf(key) return string.sub(key, string.find(key, '{', 1, true), -1) end

-- Channel of a node.
local function channelOf(node) return channels .. '{@node:' .. node .. '}' end

-- Message of the room on the channel of a node, where those of all rooms follow each other.
local function recordOf(message) return string.sub(tagOf(room), 2, -2) .. '\t' .. #message .. '\n' .. message end

-- Sends a message to the nodes of a room. here: its nodes. isForSelf: true if this node gets it too; in a cluster it always does.
local function tell(here, message, isForSelf)
  if not isByNode then return redis.call('SPUBLISH', channels .. tagOf(room), message) end
  local record = recordOf(message)
  for node in string.gmatch(here, '([^ =]+)=') do
    if isForSelf or node ~= self then redis.call('SPUBLISH', channelOf(node), record) end
  end
end

-- Returns a list of nodes without one of them.
local function without(here, node)
  local from = string.find(here, ' ' .. node .. '=', 1, true)
  if not from then return here end
  return string.sub(here, 1, from - 1) .. string.sub(here, string.find(here, ' ', from + 1, true), -1)
end

-- Retention that is left when it is renewed: once in a sixteenth of it, not for every event or device of a burst.
local renewal = retention * 15 / 16

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

-- Returns the error code of a room that cannot be used; otherwise nil, the epoch, the end, the deadline, and the nodes of the room.
local function findRoom()
  local epoch, fenceOfRoom, ends, deadline, ended, here = unpack(redis.call('HMGET', room, 'epoch', 'fence', 'until', 'deadline', 'ended', 'here'))
  if not ends then return 'ROOM_NOT_FOUND' end
  ends = tonumber(ends)
  if ended and ends > now then return 'ROOM_CLOSED' end
  if deadline and ends <= now and ends + retention > now then return 'ROOM_CLOSED' end
  if ends <= now then
    redis.call('DEL', room, log, members)
    return 'ROOM_NOT_FOUND'
  end
  -- Another master than the one that wrote the room may lack its last events and give their numbers again: then this is another log.
  local current = fence()
  if fenceOfRoom ~= current then
    epoch = newEpoch
    redis.call('HSET', room, 'epoch', epoch, 'fence', current)
  end
  return nil, epoch, ends, deadline, here or ' '
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
