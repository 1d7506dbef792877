-- As browser.lua; each request is looked up in a list, as told.lua's are: that takes wrk's time.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "browser.lua")

local requests = {}
local at = 0

function init(args)
  for number = 1, 997 do
    requests[number] = wrk.format("GET")
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
