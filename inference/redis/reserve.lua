-- Check the limits of some calls, and count those that pass: each wholly or not at all, one after another.
--
-- KEYS: `known`, which is gone when Redis has lost its data; `holds`, the leases of what is held, by time.
-- ARGV: calls as JSON, see `inference.redis.wire.Call`. A subject's `requests` and `tokens` are {key, limit}, both of any 60
-- seconds; `open` is the key of what it has under way, {id: tokens at most}; `used` that of its budget.
-- Gives for each call {verdict, place of the subject that refuses, milliseconds until it may pass, second, due,
-- for requests and tokens each: limit, remaining, milliseconds until all is free again, of the subject with least left}.
local PASSED, REQUESTS, TOKENS, PARALLEL, BUDGET, UNKNOWN, LOST = 0, 1, 2, 3, 4, 5, 6
local WINDOW, HOUR, WEEK = 60, 3600, 604800

local time = redis.call('TIME')
local second, micro = tonumber(time[1]), tonumber(time[2])
local now = second * 1000 + math.floor(micro / 1000)

-- A window is a hash of counts by second, and of the microsecond in which the latest of each came (`@second`); their sum
-- `n`; the oldest and the newest second with one, and `at`, the microsecond of the newest. The counts of a second are free
-- again when the latest of them is 60 seconds ago: never too many pass, some a little late, and no wait is over 60 s.
local function milliseconds_until_free(s, at)
  return math.ceil(((s + WINDOW - second) * 1000000 + at - micro) / 1000)
end

local function counted(key)
  local first = second - WINDOW
  local head = redis.call('HMGET', key, 'n', 'oldest', 'newest', 'at', '@' .. first)
  local n, oldest, newest = tonumber(head[1]) or 0, tonumber(head[2]) or second, tonumber(head[3]) or second
  if (tonumber(head[5]) or 999999) <= micro then first = first + 1 end
  if newest < first then
    redis.call('DEL', key)
    return 0, 0
  end
  if oldest < first then
    local gone, marks = {}, {}
    for s = oldest, first - 1 do
      gone[#gone + 1] = s
      marks[#marks + 1] = '@' .. s
    end
    for _, value in ipairs(redis.call('HMGET', key, unpack(gone))) do n = n - (tonumber(value) or 0) end
    redis.call('HDEL', key, unpack(gone))
    redis.call('HDEL', key, unpack(marks))
    redis.call('HSET', key, 'n', n, 'oldest', first)
  end
  return n, milliseconds_until_free(newest, tonumber(head[4]) or 999999)
end

local function until_room(key, n, limit, amount)
  local seconds, marks = {}, {}
  for s = second - WINDOW, second do
    seconds[#seconds + 1] = s
    marks[#marks + 1] = '@' .. s
  end
  local counts, latest = redis.call('HMGET', key, unpack(seconds)), redis.call('HMGET', key, unpack(marks))
  for place, value in ipairs(counts) do
    n = n - (tonumber(value) or 0)
    if n + amount <= limit then return milliseconds_until_free(seconds[place], tonumber(latest[place]) or 999999) end
  end
  return milliseconds_until_free(second, micro)
end

local function count(key, amount)
  redis.call('HSETNX', key, 'oldest', second)
  redis.call('HSET', key, 'newest', second, 'at', micro, '@' .. second, micro)
  redis.call('HINCRBY', key, 'n', amount)
  redis.call('HINCRBY', key, second, amount)
  redis.call('EXPIRE', key, 2 * WINDOW)
end

local function reserve(call)
  local verdict, place, wait = PASSED, 0, 0
  local shown = {requests = {0, 0, 0}, tokens = {0, 0, 0}}

  local function refuse(kind, at, milliseconds)
    -- of several reasons the one that lasts longest; a budget outlasts all rates
    if kind >= BUDGET and verdict < BUDGET or verdict < BUDGET and milliseconds > wait then
      verdict, place, wait = kind, at, milliseconds
    end
  end

  for at, subject in ipairs(call.subjects) do
    for name, kind in pairs({requests = REQUESTS, tokens = TOKENS}) do
      local rule = subject[name]
      if rule then
        local key, limit = rule[1], rule[2]
        local amount = name == 'requests' and 1 or math.min(call.likely, limit)
        local n, free = counted(key)
        local left = limit - n
        if amount > left then refuse(kind, at, until_room(key, n, limit, amount)) end
        if shown[name][1] == 0 or left < shown[name][2] then
          shown[name] = {limit, left, n == 0 and 0 or free, amount}
        end
      end
    end
    if subject.parallel and redis.call('HLEN', subject.open) >= subject.parallel then refuse(PARALLEL, at, 1000) end
    if subject.budget then
      local budget = redis.call('HMGET', subject.used, 'n', 'known')
      if not budget[2] then
        refuse(UNKNOWN, at, 0)
      else
        local spoken = tonumber(budget[1])
        for _, most in ipairs(redis.call('HVALS', subject.open)) do spoken = spoken + tonumber(most) end
        if spoken + call.most > subject.budget then refuse(BUDGET, at, subject.budget - spoken) end
      end
    end
    if subject.open and not call.restored and redis.call('EXISTS', KEYS[1]) == 0 then
      return {LOST, at, 0, second, 0, 0, 0, 0, 0, 0, 0}
    end
  end

  if verdict == PASSED then
    for _, subject in ipairs(call.subjects) do
      if subject.requests then count(subject.requests[1], 1) end
      if subject.tokens then
        subject.amount = math.min(call.likely, subject.tokens[2])
        count(subject.tokens[1], subject.amount)
      end
      if subject.open then
        redis.call('HSET', subject.open, call.id, call.most)
        redis.call('EXPIRE', subject.open, WEEK)
      end
    end
    if call.hold then
      call.second = second
      redis.call('SET', call.hold, cjson.encode(call), 'EX', WEEK)
      redis.call('ZADD', KEYS[2], now + call.lease, call.id)
      redis.call('EXPIRE', KEYS[2], WEEK)
      if not call.restored then redis.call('EXPIRE', KEYS[1], WEEK) end
    end
  end

  local result = {verdict, place, wait, second, redis.call('ZCOUNT', KEYS[2], 0, now)}
  for _, name in ipairs({'requests', 'tokens'}) do
    local limit, left, reset, amount = unpack(shown[name])
    if verdict == PASSED and limit > 0 then left, reset = left - amount, milliseconds_until_free(second, micro) end
    result[#result + 1] = limit
    result[#result + 1] = math.max(0, left)
    result[#result + 1] = reset
  end
  return result
end

local results = {}
for _, text in ipairs(ARGV) do results[#results + 1] = reserve(cjson.decode(text)) end
return results
