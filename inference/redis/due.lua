-- Take up to 200 calls whose lease has passed, to be looked up: the lease is extended, so that nobody else takes them.
--
-- KEYS: `holds`. ARGV: the new lease in milliseconds.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], 0, now, 'LIMIT', 0, 200)
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), id) end
return ids
