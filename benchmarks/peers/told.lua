-- As browser.lua, but each request says in its query how playing goes, as hls.js does (CMCD).
local here = debug.getinfo(1, "S").source:match("^@(.*/)") or "./"
dofile(here .. "browser.lua")

local SAID = "bl%%3D%d%%2Cbr%%3D3200%%2Ccid%%3D%%22story%%22%%2Cd%%3D4004%%2Cdl%%3D%d%%2Cmtp%%3D%d%%2Cot%%3Dv"
  .. "%%2Crtp%%3D9600%%2Csf%%3Dh%%2Csid%%3D%%222e016ae9-fa6c-4488-8ccd-f4a3e4cc95be%%22%%2Ctb%%3D3200"
local requests = {}
local at = 0

function init(args)
  for number = 1, 997 do -- a prime: 32 connections never fall into step with it
    local said = string.format(SAID, number * 100, number * 90, 25000 + number)
    requests[number] = wrk.format("GET", wrk.path .. "?CMCD=" .. said)
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
