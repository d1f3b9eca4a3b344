"""Twilio's webhooks: verified, kept, answered. Nothing is made of them here."""

from typing import Final

from overture.domain.errors import Forbidden, Problem
from overture.domain.ports import RawEvent
from overture.web import metrics
from overture.web.routes import WEBHOOK_BODY, Answer, Call, Door, post

_SIGNATURE: Final = b"x-twilio-signature"
_NOTHING_TO_SAY: Final = Answer(
    body=b'<?xml version="1.0" encoding="UTF-8"?><Response/>', content_type=b"text/xml; charset=utf-8"
)
_NOTED: Final = Answer(status=204)


@post(
    "/webhooks/twilio/inbound",
    may=Door.PROVIDER,
    takes=bytes,
    gives=str,
    media="text/xml",
    tag="Webhooks",
    body_limit=WEBHOOK_BODY,
    refusals=(400, 403, 413, 503),
)
async def receive_twilio_inbound(call: Call[bytes, None]) -> Answer:
    """Receive an inbound message.

    Set it as the webhook of your senders. The request must carry Twilio's signature; it is kept and answered with
    empty TwiML, and replies travel by the API.
    """
    with _Forged("inbound"):
        event = call.parts.verifier.verify_inbound(
            path_and_query=call.target, body=call.body, signature=_signature(call)
        )
    await _keep(call, event)
    return _NOTHING_TO_SAY


@post(
    "/webhooks/twilio/status",
    may=Door.PROVIDER,
    takes=bytes,
    status=204,
    tag="Webhooks",
    body_limit=WEBHOOK_BODY,
    refusals=(400, 403, 413, 503),
)
async def receive_twilio_status(call: Call[bytes, None]) -> Answer:
    """Receive a delivery status.

    Overture names this address with every message it sends; there is nothing to set up.
    """
    with _Forged("status"):
        event = call.parts.verifier.verify_status(
            path_and_query=call.target, body=call.body, signature=_signature(call)
        )
    await _keep(call, event)
    return _NOTED


def _signature(call: Call[bytes, None]) -> str | None:
    given = call.headers.get(_SIGNATURE)
    return None if given is None else given.decode("latin-1")


async def _keep(call: Call[bytes, None], event: RawEvent) -> None:
    is_new = await call.parts.webhooks.submit(event)
    metrics.webhooks(event.kind, "kept" if is_new else "duplicate").inc()


class _Forged:
    """Counts what is refused."""

    def __init__(self, kind: str) -> None:
        self._kind: Final = kind

    def __enter__(self) -> None:
        return

    def __exit__(self, _kind: object, wrong: BaseException | None, _trace: object) -> None:
        if isinstance(wrong, Problem):
            outcome = "forged" if isinstance(wrong, Forbidden) else "malformed"
            metrics.webhooks(self._kind, outcome).inc()
