//! What must happen in Redis in one step. Each script touches the keys of one slot only. Windows slide and are
//! exact: a list holds the times of the last N events, so the N-th newest says whether another one fits.

/// KEYS: times of requests, mark of an ended session. ARGV: limit, window in ms.
/// Returns 0 go, >0 milliseconds to wait, -1 the session was ended.
pub(super) const ADMIT: &str = r"
if redis.call('EXISTS', KEYS[2]) == 1 then return -1 end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local limit, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local old = redis.call('LINDEX', KEYS[1], limit - 1)
if old and now - tonumber(old) < window then return window - (now - tonumber(old)) end
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, limit - 1)
redis.call('PEXPIRE', KEYS[1], window)
return 0
";

/// KEYS: times of failures. ARGV: limit, window in ms. Returns the milliseconds to wait, 0 for none.
pub(super) const FAILURES: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local window = tonumber(ARGV[2])
local old = redis.call('LINDEX', KEYS[1], tonumber(ARGV[1]) - 1)
if old and now - tonumber(old) < window then return window - (now - tonumber(old)) end
return 0
";

pub(super) const FAILED: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('LPUSH', KEYS[1], string.format('%.0f', now))
redis.call('LTRIM', KEYS[1], 0, tonumber(ARGV[1]) - 1)
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 0
";

/// KEYS: status. ARGV: number of the record, value, seconds to keep. Older records change nothing.
pub(super) const SET_STATUS: &str = r"
local have = redis.call('HGET', KEYS[1], 'seq')
if have and tonumber(have) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'seq', ARGV[1], 'value', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
";
