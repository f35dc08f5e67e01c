-- One failure of one client, counted or refused in one step. The decision is the one of `RateLimiter`, over the same
-- slots; `now` is set by the lines before. It touches no other key, and what it writes expires when it stops to count.
--   KEYS[1]  hash: number of a slot -> failures let through in it
--   ARGV     how many may pass, length of a slot in microseconds, slots in a window, 1 to count it or 0 to look only
-- Answers 0 for "let through", else the microseconds after which one more will pass.
local max, width, slots = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local function name(slot) return string.format('%.0f', slot) end

local newest, counts = math.floor(now / width), {}
local held = redis.call('HGETALL', KEYS[1])
for i = 1, #held, 2 do
  local slot = tonumber(held[i])
  counts[slot] = tonumber(held[i + 1])
  -- A clock that went back changes nothing.
  if slot > newest then newest = slot end
end

local total = 0
for slot, n in pairs(counts) do
  if slot <= newest - slots then
    redis.call('HDEL', KEYS[1], name(slot))
  else
    total = total + n
  end
end

if total < max then
  if ARGV[4] == '0' then return 0 end
  redis.call('HINCRBY', KEYS[1], name(newest), 1)
  redis.call('PEXPIRE', KEYS[1], math.ceil(((newest + slots) * width - now) / 1000))
  return 0
end
for slot = newest - slots + 1, newest do
  total = total - (counts[slot] or 0)
  if total < max then return math.max((slot + slots) * width - now, 1) end
end
return 1
