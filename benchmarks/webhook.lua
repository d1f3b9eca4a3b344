-- wrk: POST /webhooks/twilio/inbound, signed beforehand. Arguments: a file of lines "signature body", all of one
-- length, and the number of the first line to send.
dofile("told.lua")

local lines, prefix, middle

function init(args)
  lines = io.open(args[1], "rb")
  local length = #lines:read("*l") + 1
  lines:seek("set", length * tonumber(args[2]))
  prefix = "POST /webhooks/twilio/inbound HTTP/1.1\r\nHost: overture.example\r\n"
    .. "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: " .. (length - 30) .. "\r\nX-Twilio-Signature: "
  middle = "\r\n\r\n"
end

function request()
  local line = lines:read("*l")
  return prefix .. line:sub(1, 28) .. middle .. line:sub(30)
end
