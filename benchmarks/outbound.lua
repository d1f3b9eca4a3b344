-- wrk: POST /v2/chat/outbound, a new to_number each time. Arguments: key, agent, sender, the first number.
dofile("told.lua")

local head, tail, number

function init(args)
  local key, agent, sender = args[1], args[2], args[3]
  number = tonumber(args[4])
  local before = '{"agent_id":"' .. agent .. '","channel":"sms","to_number":"+1555'
  tail = '","from_number":"' .. sender .. '","initial_message":"Hi! How can I help you today?"}'
  head = "POST /v2/chat/outbound HTTP/1.1\r\nHost: overture.example\r\nAuthorization: Bearer " .. key
    .. "\r\nContent-Type: application/json\r\nContent-Length: " .. (#before + 7 + #tail) .. "\r\n\r\n" .. before
end

function request()
  number = number + 1
  return head .. string.format("%07d", number) .. tail
end
