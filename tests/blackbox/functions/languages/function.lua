#!/usr/bin/lua5.4
-- The same in Lua (see function.c); it has no sockets of its own.
local shape, more = arg[1], arg[2]

local function burn()
  for first in io.lines() do
    local length = 0
    for line in io.lines() do
      if line == "\r" then break end
      length = tonumber(line:lower():match("^content%-length:%s*(%d+)")) or length
    end
    local body = first:gsub("\r", "") .. "\n" .. (length > 0 and io.read(length) or "")
    io.write("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ", #body, "\r\n\r\n", body)
    io.flush()
  end
end

local shapes = {
  upper = function() io.write((io.read("a"):upper())) end,
  invert = function() io.write((io.read("a"):gsub(".", function(c) return string.char(c:byte() ~ 255) end))) end,
  greet = function() io.write('{"hello":"', io.read("a"):match('"name":"([^"]*)"'), '"}') end,
  ignore = function() print("not read") end,
  env = function() print(os.getenv(more) or "(none)") end,
  lines = function()
    local n = 0
    for line in io.lines() do
      n = n + 1
      print(n .. " " .. line)
      io.flush()
    end
  end,
  burn = burn,
}
shapes[shape]()
