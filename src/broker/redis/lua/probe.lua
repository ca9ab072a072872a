-- Tries each command that rooms, their index, the registry and the rate limit need, on keys of its own. The first command is a write, which a full Redis or a
-- replica refuses; every command fails if the ACL does not permit it. KEYS: a hash, a list, a sorted set, a string, a stream. ARGV: channel.
-- Returns command and error of each failure, alternating.
local hash, list, set, text, stream = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
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
try('HLEN', hash)
try('HINCRBY', hash, 'field', 1)
try('HDEL', hash, 'other')
try('EXISTS', hash)
try('PEXPIRE', hash, 60000)
try('PTTL', hash)
try('RPUSH', list, 1)
try('LPUSH', list, 1)
try('LTRIM', list, 0, -1)
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
try('GET', text)
try('INCR', text)
try('XADD', stream, '*', 'field', 1)
try('XLEN', stream)
try('XRANGE', stream, '-', '+')
try('XREVRANGE', stream, '+', '-')
try('XREAD', 'STREAMS', stream, '0')
try('TIME')
try('SPUBLISH', ARGV[1], '')
try('DEL', hash, list, set, text, stream)
return failed
