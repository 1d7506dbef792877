"""What a bucket's server does in one step: it keeps the account of its values, and its budget.

The books of a bucket are the times of last use, the times of expiry, and the sizes of its values.
All keys of a script are in one slot, those that it finds in the books included. Time is the
server's own. Where a server has evicted books of its own accord, they begin anew. The first line
has a server that is out of memory refuse a script before its first step.
"""

from typing import Final

OVERHEAD_BYTES: Final = 512  # what a value costs beside its bytes: its name, thrice, and accounts
EVICTED_MAX: Final = 128  # in one step, which holds up the server: some 2 ms
EXPIRED_MAX: Final = 32

_START: Final = """#!lua
local name, uses, ends, sizes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
"""

KEEP: Final = (
    _START
    + f"""
local size, ttl, budget = #ARGV[1] + {OVERHEAD_BYTES}, tonumber(ARGV[2]), tonumber(ARGV[3])
if size > budget then return 0 end
local books = redis.call('EXISTS', uses, ends, sizes)
if books ~= 0 and books ~= 3 then redis.call('DEL', uses, ends, sizes) end
local used = tonumber(redis.call('HGET', sizes, '') or '0')
local function forget(gone)
  used = used - tonumber(redis.call('HGET', sizes, gone) or '0')
  redis.call('UNLINK', gone)
  redis.call('ZREM', uses, gone)
  redis.call('ZREM', ends, gone)
  redis.call('HDEL', sizes, gone)
end
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', ends, '-inf', now, 'LIMIT', 0, {EXPIRED_MAX})) do
  forget(gone)
end
forget(name)
local left = {EVICTED_MAX}
while used + size > budget and left > 0 do
  local oldest = redis.call('ZRANGE', uses, 0, 0)[1]
  if not oldest then used = 0 break end
  forget(oldest)
  left = left - 1
end
redis.call('HSET', sizes, '', used)
if used + size > budget then return 0 end
redis.call('SET', name, ARGV[1], 'PX', ttl)
redis.call('ZADD', uses, now, name)
redis.call('ZADD', ends, now + ttl, name)
redis.call('HSET', sizes, name, size, '', used + size)
return 1
"""
)
"""KEYS: a name, its bucket's books. ARGV: the value, its milliseconds, the bucket's bytes.
Returns whether the value was kept: 0 when it has no place among so many."""

RENEW: Final = (
    _START
    + """
if redis.call('PEXPIRE', name, ARGV[1], 'GT') == 1 then
  redis.call('ZADD', ends, 'XX', now + ARGV[1], name)
end
return redis.call('ZADD', uses, 'XX', now, name)
"""
)
"""KEYS: as above. ARGV: the milliseconds that the value is to last at least."""

USE: Final = """#!lua
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for _, name in ipairs(ARGV) do redis.call('ZADD', KEYS[1], 'XX', now, name) end
"""
"""KEYS: a bucket's times of last use. ARGV: names that were used a moment ago."""
