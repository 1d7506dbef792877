-- As browser.lua, but no two requests on a connection have the same field lines (CMCD in a header).
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "browser.lua")

local requests = {}
local at = 0

function init(args)
  for number = 1, 997 do -- a prime: 32 connections never fall into step with it
    wrk.headers["Accept-Language"] = nil -- still ten
    wrk.headers["CMCD-Request"] = string.format("bl=%d,dl=%d,mtp=%d,su", number * 100, number * 90, 25000 + number)
    requests[number] = wrk.format("GET")
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
