-- Give back what a call holds and count what it has used instead. Done twice, it is done once.
--
-- KEYS: the call's hold; `holds`. ARGV: its id; the tokens that it has used; whether it was never accepted, so that it
-- does not even count as a request; the call itself where it holds nothing beyond the two windows.
local held = redis.call('GET', KEYS[1]) or ARGV[4]
if not held then return 0 end
local call = cjson.decode(held)
local used = tonumber(ARGV[2])

-- Correct what was counted in the second in which the call began, unless that has left the window.
local function correct(key, amount)
  local oldest = tonumber(redis.call('HGET', key, 'oldest'))
  if oldest and oldest <= call.second and amount ~= 0 then
    redis.call('HINCRBY', key, call.second, amount)
    redis.call('HINCRBY', key, 'n', amount)
  end
end

for _, subject in ipairs(call.subjects) do
  if subject.requests and ARGV[3] == '1' then correct(subject.requests[1], -1) end
  if subject.tokens and subject.amount then correct(subject.tokens[1], used - subject.amount) end
  if subject.open then redis.call('HDEL', subject.open, ARGV[1]) end
  if subject.used and redis.call('EXISTS', subject.used) == 1 then redis.call('HINCRBY', subject.used, 'n', used) end
end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
return 1
