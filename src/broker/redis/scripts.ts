// Lua scripts of the Redis broker. Each runs atomically; a room's scripts touch only the keys of that room, which share a hash tag.
import type { Cluster, Redis } from 'ioredis'

/**
 * Start of every room script. A room is a hash: `epoch`, `fence`, `seq`, `created`, `until`, `last`, `fixed` (the room has a deadline), the payment's state, and
 * `k:<key>` for every deduplication key. The hash of a closed room holds only `ended` and `until`. The log is a list; the members are a hash with one field per node.
 *
 * KEYS: room, log, members. ARGV: now (ms; empty: the clock of Redis), retention (ms), an unused epoch, the room's channel, then the script's own arguments.
 */
const PRELUDE = `
local room, log, members = KEYS[1], KEYS[2], KEYS[3]
local retention, newEpoch, channel = tonumber(ARGV[2]), ARGV[3], ARGV[4]
-- One clock for all nodes, and the one that keys expire by. A node's own may be off by a day.
local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
-- Redis expires keys a little later than our own clocks end rooms, so that there is one rule and not two.
local margin = 60000

-- Found as plain text, since a pattern is tried at each of the hundreds of characters before it, for each event.
local function fence()
  local info = redis.call('INFO', 'replication')
  local _, at = string.find(info, 'master_replid:', 1, true)
  return string.sub(info, at + 1, at + 40)
end

-- Puts the end off to a full retention from now. A room with a deadline keeps it.
local function renew(fixed)
  if fixed then return end
  redis.call('HSET', room, 'until', now + retention)
  for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, retention + margin) end
end

local function open(ttl)
  -- First a write that a full Redis refuses: once a script has written, Redis lets it go on whatever the memory.
  redis.call('HSET', room, 'epoch', newEpoch)
  redis.call('DEL', room, log, members)
  redis.call('HSET', room, 'epoch', newEpoch, 'fence', fence(), 'seq', 0, 'created', now, 'until', now + (ttl or retention))
  if ttl then redis.call('HSET', room, 'fixed', 1) end
  -- A room that had a deadline is remembered as closed for a retention after it.
  redis.call('PEXPIRE', room, (ttl or 0) + retention + margin)
end

-- The room as it is: its epoch, or why it cannot be used; until when; whether that is a deadline; and its seq and state, from the sixth value on.
local function look()
  local found = redis.call('HMGET', room, 'epoch', 'fence', 'until', 'fixed', 'ended', 'seq', 'rank', 'outcome', 'step', 'method', 'fields')
  local epoch, fixed = found[1], found[4]
  if not found[3] then return 'ROOM_NOT_FOUND' end
  local ends = tonumber(found[3])
  if found[5] and ends > now then return 'ROOM_CLOSED' end
  if fixed and ends <= now and ends + retention > now then return 'ROOM_CLOSED' end
  if ends <= now then
    redis.call('DEL', room, log, members)
    return 'ROOM_NOT_FOUND'
  end
  -- Another master than the one that wrote the room may lack its last events and give their numbers again: then this is another log.
  local current = fence()
  if found[2] ~= current then
    epoch = newEpoch
    redis.call('HSET', room, 'epoch', epoch, 'fence', current)
  end
  return nil, epoch, ends, fixed, found
end
`

/** Creates a room. Returns `[code]`, or `['OK', created, until]`. Own arguments: ttl (ms, or empty). */
const CREATE = `
local failure = look()
if not failure then return { 'ROOM_EXISTS' } end
open(tonumber(ARGV[5]))
return { 'OK', now, redis.call('HGET', room, 'until') }
`

/** Opens or renews a room. Returns `[code]`, or `['OK', epoch, seq, left, isNew, members]`; `left` is ms until the deadline, or empty. Own arguments: 1 to create. */
const OPEN = `
local failure, epoch, ends, fixed = look()
if failure and not (ARGV[5] == '1' and failure == 'ROOM_NOT_FOUND') then return { failure } end
if failure then
  open()
  epoch = newEpoch
else
  renew(fixed)
end
return { 'OK', epoch, redis.call('HGET', room, 'seq'), fixed and ends - now or '', failure and 1 or 0, redis.call('HGETALL', members) }
`

/** Restarts the room's retention after this node's last member has left. Returns nothing. */
const LEAVE = `
local failure, epoch, ends, fixed = look()
if not failure then renew(fixed) end
`

/** Announces the members of a node. Returns nothing. Own arguments: node, number of connected members, JSON of all its members (empty: none left). */
const ANNOUNCE = `
if look() then return end
if ARGV[7] == '' then redis.call('HDEL', members, ARGV[5]) else redis.call('HSET', members, ARGV[5], ARGV[6] .. '\\t' .. ARGV[7]) end
redis.call('PEXPIRE', members, redis.call('PTTL', room))
redis.call('SPUBLISH', channel, 'm' .. ARGV[5] .. '\\n' .. ARGV[7])
`

/**
 * Publishes an event. Returns `[code]`, or `['NEW' | 'DUPLICATE' | 'REPEATED', epoch, seq, timestamp, receivers, changed, isNewRoom]`. Own arguments: 1 to create the
 * room, log size, origin, head and tail of the message, timestamp, live nodes, kind of fact and its three values; then for each deduplication key its name, its
 * fingerprint, and 1 if it is an Idempotency-Key.
 */
const PUBLISH = `
local create, size, origin, head, tail, timestamp, nodes = ARGV[5] == '1', tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11]
local kind, a, b, c = ARGV[12], ARGV[13], ARGV[14], ARGV[15]
local failure, epoch, ends, fixed, found = look()
if failure and not (create and failure == 'ROOM_NOT_FOUND') then return { failure } end
if failure then
  open()
  epoch, ends, found = newEpoch, now + retention, {}
end

for i = 16, #ARGV, 3 do
  local known = redis.call('HGET', room, 'k:' .. ARGV[i])
  if known then
    local seq, at, receivers, fingerprint = string.match(known, '^(%d+) (%d+) (%d+) (.*)$')
    if fingerprint ~= ARGV[i + 1] then return { 'ID_CONFLICT' } end
    return { ARGV[i + 2] == '1' and 'REPEATED' or 'DUPLICATE', epoch, seq, at, receivers, 0, 0 }
  end
end

local receivers = origin == '' and 0 or -1
local present = redis.call('HGETALL', members)
for i = 1, #present, 2 do
  if string.find(nodes, ' ' .. present[i] .. ' ', 1, true) then receivers = receivers + tonumber(string.match(present[i + 1], '^%d+')) end
end
if receivers < 0 then receivers = 0 end

local seq = (found[6] or 0) + 1
local frame = head .. seq .. tail
local patch = { 'seq', seq, 'last', timestamp }
local names = {}
for i = 16, #ARGV, 3 do
  names[#names + 1] = ARGV[i]
  patch[#patch + 1] = 'k:' .. ARGV[i]
  patch[#patch + 1] = seq .. ' ' .. timestamp .. ' ' .. receivers .. ' ' .. ARGV[i + 1]
end
local length = redis.call('RPUSH', log, origin .. '\\t' .. table.concat(names, '\\t') .. '\\n' .. frame)
if length == 1 then redis.call('PEXPIRE', log, redis.call('PTTL', room)) end
if length > size then
  local dropped = redis.call('LPOP', log)
  for name in string.gmatch(string.match(dropped, '^[^\\t]*\\t([^\\n]*)'), '[^\\t]+') do redis.call('HDEL', room, 'k:' .. name) end
end

-- The payment's state, by the rules of src/payment/state.ts: ranks are 1 a claimed error, 2 a claimed success, 3 and 4 the verified ones.
local changed = 0
local function set(field, value)
  patch[#patch + 1] = field
  patch[#patch + 1] = value
  changed = 1
end
if kind ~= '' then
  local rank = tonumber(found[7] or 0)
  if kind == 'result' then
    local new = tonumber(a)
    if new > rank or (new == rank and new % 2 == 1 and b ~= found[8]) then
      set('rank', a)
      set('outcome', b)
    end
  elseif rank % 2 == 1 or rank == 0 then
    if b ~= '' and b ~= found[10] then set('method', b) end
    if c ~= '' and c ~= found[11] then set('fields', c) end
    if changed == 1 or a ~= found[9] then set('step', a) end
  end
  if changed == 1 then set('updated', timestamp) end
end
redis.call('HSET', room, unpack(patch))
-- Not for every event of a burst: a sixteenth of the retention is near enough.
if ends - now < retention * 15 / 16 then renew(fixed) end
-- Last: whoever hears of the event finds it in the log.
redis.call('SPUBLISH', channel, 'e' .. epoch .. '\\t' .. seq .. '\\t' .. origin .. '\\n' .. frame)
return { 'NEW', epoch, seq, timestamp, receivers, changed, failure and 1 or 0 }
`

/**
 * Reads a room. Returns `[code]`, or `['OK', epoch, seq, created, until, last, rank, outcome, step, method, fields, updated, members, recovered, entries, now]`.
 * Own arguments: 1 to read entries, and the position (epoch and seq) to read after.
 */
const READ = `
local wanted, asked, from = ARGV[5] == '1', ARGV[6], tonumber(ARGV[7])
local failure, epoch = look()
if failure then return { failure } end
local found = redis.call('HMGET', room, 'seq', 'created', 'until', 'last', 'rank', 'outcome', 'step', 'method', 'fields', 'updated')
local recovered, entries = false, {}
if wanted then
  local top = tonumber(found[1])
  local first = top - redis.call('LLEN', log) + 1
  recovered = (asked == epoch or (asked == '' and from == 0)) and from >= first - 1 and from <= top
  entries = redis.call('LRANGE', log, recovered and from - first + 1 or 0, -1)
end
return { 'OK', epoch, found[1], found[2], found[3], found[4], found[5], found[6], found[7], found[8], found[9], found[10],
  redis.call('HGETALL', members), recovered and 1 or 0, entries, now }
`

/** Closes a room. Returns `[code]`, or `['OK']`. */
const CLOSE = `
local failure = look()
if failure then return { failure } end
redis.call('DEL', room, log, members)
redis.call('HSET', room, 'ended', 1, 'until', now + retention)
redis.call('PEXPIRE', room, retention + margin)
redis.call('SPUBLISH', channel, 'c')
return { 'OK' }
`

/** Adds a room to the index, which is ordered by the start of the rooms. KEYS: index, counter. ARGV: room, 1 if it starts now. Returns nothing. */
const ENLIST = `
if ARGV[2] == '0' and redis.call('ZSCORE', KEYS[1], ARGV[1]) then return end
redis.call('ZADD', KEYS[1], redis.call('INCR', KEYS[2]), ARGV[1])
`

/**
 * Renews this node's lease in the registry, by the clock of Redis, and removes expired nodes. A new node is announced on the registry's channel.
 * KEYS: registry. ARGV: node, lease (ms; 0 removes the node), channel. Returns the names of the live nodes.
 */
const BEAT = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local added = 0
if ARGV[2] == '0' then redis.call('ZREM', KEYS[1], ARGV[1]) else added = redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
-- Further off than a sign of life can last: the clock was put back. A node that lives says so again.
if ARGV[2] ~= '0' then redis.call('ZREMRANGEBYSCORE', KEYS[1], '(' .. now + ARGV[2], '+inf') end
if added == 1 then redis.call('SPUBLISH', ARGV[3], ARGV[1]) end
return redis.call('ZRANGE', KEYS[1], 0, -1)
`

/**
 * Counts a request. A window that ends later than possible was started before the clock of Redis was set back, and is over.
 * KEYS: count. ARGV: window (ms). Returns [requests in the window, ms until it ends].
 */
const COUNT = `
local window = tonumber(ARGV[1])
local current = redis.call('INCR', KEYS[1])
local left = redis.call('PTTL', KEYS[1])
if left >= 0 and left <= window then return { current, left } end
redis.call('SET', KEYS[1], 1, 'PX', window)
return { 1, window }
`

/**
 * Tries each command that rooms, their index, the registry and the rate limit need, on keys of its own. The first command is a write, which a full Redis or a
 * replica refuses; every command fails if the ACL does not permit it. KEYS: a hash, a list, a sorted set, a string. ARGV: channel.
 * Returns command and error of each failure, alternating.
 */
const PROBE = `
local hash, list, set, text = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local failed = {}
local function try(...)
  local reply = redis.pcall(...)
  if type(reply) ~= 'table' or not reply.err then return end
  failed[#failed + 1] = (...)
  failed[#failed + 1] = reply.err
end
try('HSET', hash, 'field', 1)
try('INFO', 'replication')
try('HGET', hash, 'field')
try('HMGET', hash, 'field')
try('HGETALL', hash)
try('HDEL', hash, 'other')
try('EXISTS', hash)
try('PEXPIRE', hash, 60000)
try('PTTL', hash)
try('RPUSH', list, 1)
try('LLEN', list)
try('LRANGE', list, 0, -1)
try('LPOP', list)
try('ZADD', set, 1, 'member')
try('ZSCORE', set, 'member')
try('ZCARD', set)
try('ZRANGE', set, 0, -1)
try('ZRANGEBYSCORE', set, '-inf', '+inf')
try('ZREMRANGEBYSCORE', set, '-inf', 0)
try('ZREM', set, 'member')
try('SET', text, 1, 'PX', 60000)
try('INCR', text)
try('TIME')
try('SPUBLISH', ARGV[1], '')
try('DEL', hash, list, set, text)
return failed
`

/** The client's `scripts` option. */
export const SCRIPTS = {
  createRoom: { numberOfKeys: 3, lua: PRELUDE + CREATE },
  openRoom: { numberOfKeys: 3, lua: PRELUDE + OPEN },
  leaveRoom: { numberOfKeys: 3, lua: PRELUDE + LEAVE },
  announceMembers: { numberOfKeys: 3, lua: PRELUDE + ANNOUNCE },
  publishEvent: { numberOfKeys: 3, lua: PRELUDE + PUBLISH },
  readRoom: { numberOfKeys: 3, lua: PRELUDE + READ },
  closeRoom: { numberOfKeys: 3, lua: PRELUDE + CLOSE },
  enlistRoom: { numberOfKeys: 2, lua: ENLIST },
  beatNode: { numberOfKeys: 1, lua: BEAT },
  countRequest: { numberOfKeys: 1, lua: COUNT },
  probe: { numberOfKeys: 4, lua: PROBE }
}

type Argument = string | number
type Reply = Array<string | number | null>

/** Redis client with the scripts as methods. `Buffer` in a method's name: strings of the reply are Buffers. */
export type RoomRedis = (Redis | Cluster) & {
  createRoom: (...args: Argument[]) => Promise<Reply>
  openRoom: (...args: Argument[]) => Promise<[...Reply, string[]]>
  leaveRoom: (...args: Argument[]) => Promise<null>
  announceMembers: (...args: Argument[]) => Promise<null>
  publishEvent: (...args: Argument[]) => Promise<Reply>
  readRoomBuffer: (...args: Argument[]) => Promise<unknown[]>
  closeRoom: (...args: Argument[]) => Promise<Reply>
  enlistRoom: (...args: Argument[]) => Promise<null>
  beatNode: (...args: Argument[]) => Promise<string[]>
  countRequest: (key: string, window: number) => Promise<[current: number, left: number]>
  probe: (...args: Argument[]) => Promise<string[]>
}
