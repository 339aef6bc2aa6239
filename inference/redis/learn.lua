-- Learn from Postgres what a budget has been used up to. From the first step on, what ends is added; the second step
-- adds what had ended before. In between the budget is not known, and no call is let in.
--
-- KEYS: `used` of the budget; `open` of its subject. ARGV: a token of who learns; in the second step, the tokens that
-- had been used. The first step gives the ids that were under way, and must not be among those; or false where somebody
-- else is learning. The second gives 1, or 0 where somebody has begun anew meanwhile.
local LEARNING, KNOWN, PATIENCE = 30, 600, 3

local function learner() return redis.call('HGET', KEYS[1], 'learner') end

if ARGV[2] then
  if learner() ~= ARGV[1] then return 0 end
  redis.call('HINCRBY', KEYS[1], 'n', ARGV[2])
  redis.call('HSET', KEYS[1], 'known', 1)
  redis.call('HDEL', KEYS[1], 'learner')
  redis.call('EXPIRE', KEYS[1], KNOWN)
  return 1
end

local now = tonumber(redis.call('TIME')[1])
local began = tonumber(redis.call('HGET', KEYS[1], 'began'))
if learner() and now - began < PATIENCE or redis.call('HEXISTS', KEYS[1], 'known') == 1 then return false end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'n', 0, 'learner', ARGV[1], 'began', now)
redis.call('EXPIRE', KEYS[1], LEARNING)
return redis.call('HKEYS', KEYS[2])
