-- As browser.lua, and 64 KiB of a 4 MiB segment: another part with each request of a connection.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "browser.lua")

local requests = {}
local at = 0

function init(args)
  for number = 0, 63 do
    wrk.headers["Range"] = string.format("bytes=%d-%d", number * 65536, number * 65536 + 65535)
    requests[number + 1] = wrk.format("GET")
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
