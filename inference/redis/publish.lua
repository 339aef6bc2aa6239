-- Append entries to logs, all of them visible at once. 1 where all logs are there; 0 where one was gone.
--
-- ARGV: {log, entries, seconds, ended} of each, packed. `entries`: {id, data, whether it may make the log}. `seconds`:
-- how long the log is kept from now, 0 for as long as before. `ended`: {hold, holds, id, tokens} of a call to settle, or
-- nothing. Before this stands settle.lua, as the function `settle`.
local there = 1
for _, log in ipairs(cmsgpack.unpack(ARGV[1])) do
  for _, entry in ipairs(log[2]) do
    local reply
    if entry[3] then
      reply = redis.pcall('XADD', log[1], entry[1], 'e', entry[2])
    else
      reply = redis.pcall('XADD', log[1], 'NOMKSTREAM', entry[1], 'e', entry[2])
    end
    if not reply then
      there = 0
    elseif type(reply) == 'table' and reply.err and not string.find(reply.err, 'equal or smaller', 1, true) then
      return reply
    end
  end
  if log[3] > 0 then redis.call('EXPIRE', log[1], log[3]) end
  if log[4] then
    -- What the call held is given back in the same moment: its client may ask again as soon as it hears.
    settle({log[4][1], log[4][2]}, {log[4][3], log[4][4], '0'})
  end
end
return there
