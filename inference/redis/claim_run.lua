-- Whether a periodic task is to be run by who asks: not where another has run it since this one last looked at it.
--
-- KEYS: what has run. ARGV: the task's name; when who asks last ran it or left it to another, in seconds; how long what
-- has run is kept, in seconds. Gives {1 or 0, now}; times are Redis's own, for clocks of machines differ.
local time = redis.call('TIME')
local now = time[1] .. string.format('.%06d', tonumber(time[2]))
local ran = redis.call('HGET', KEYS[1], ARGV[1])
if ran and tonumber(ran) > tonumber(ARGV[2]) then return {0, now} end
redis.call('HSET', KEYS[1], ARGV[1], now)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {1, now}
