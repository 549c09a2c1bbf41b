-- VOID when Nomad has refused the token: nothing that is cached for this scope is served any more, and no flight that
-- began before brings it back.  Other scopes are not touched.
-- KEYS  as PUBLISH   ARGV  1 scope  2 token of the own flight, whose lease stays, or ''
-- reply: how many keys have gone
local function get(k)
  local r = redis.pcall('GET', k)
  if type(r) == 'string' then return r end
end
local gone, lease = 0, get(KEYS[2])
for _, f in ipairs({{3, 4, 5, 9}, {6, 7, 8, 10}}) do
  if string.match(get(KEYS[f[1]]) or '', '^v2|(%x+)|') == ARGV[1] then
    gone = gone + redis.call('DEL', KEYS[f[1]], KEYS[f[2]], KEYS[f[3]], KEYS[f[4]])
  end
end
if lease and lease ~= ARGV[2] and string.sub(lease, 1, 1) ~= '!' then gone = gone + redis.call('DEL', KEYS[2]) end
return gone
