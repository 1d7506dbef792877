-- As browser.lua, but for 61 objects in turn, each a byte shorter than the one before.
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "browser.lua")

local requests = {}
local at = 0

function init(args)
  local size = tonumber(wrk.path:match("%d+$"))
  for less = 0, 60 do -- a prime: 32 connections never fall into step with it
    requests[less + 1] = wrk.format("GET", "/fast/" .. (size - less))
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
