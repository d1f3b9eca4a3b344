"""What everything is compared with: a bare ASGI application that reads the same call and answers in the same form.

It admits nobody, decides nothing and stores nothing; it is served with the very flags of Overture's own doors, so it
says what HTTP and JSON alone cost here.
"""

from typing import Final

import msgspec
from starlette.types import Receive, Scope, Send

from overture.web.api.outbound import ConversationStarted, OutboundChatRequest, OutboundChatResponse

_decode: Final = msgspec.json.Decoder(OutboundChatRequest).decode
_encode: Final = msgspec.json.Encoder().encode


async def echo(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answer one call with a conversation that is nowhere."""
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body", False):
        message = await receive()
        body += message.get("body", b"")
    asked = _decode(body)
    answer = _encode(OutboundChatResponse(response=ConversationStarted(conversation_id=asked.agent_id)))
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": answer})
