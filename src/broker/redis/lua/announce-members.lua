-- Announces the members of a node. Returns nothing. Own arguments: node, number of connected members, JSON of all its members (empty: none left).
if findRoom() then return end
if ARGV[7] == '' then redis.call('HDEL', members, ARGV[5]) else redis.call('HSET', members, ARGV[5], ARGV[6] .. '\t' .. ARGV[7]) end
redis.call('PEXPIRE', members, redis.call('PTTL', room))
redis.call('SPUBLISH', channel, 'm' .. ARGV[5] .. '\n' .. ARGV[7])
