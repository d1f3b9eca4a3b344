"""Twilio's webhooks: verified over what we told Twilio, kept once, answered without work."""

import pytest

from overture.domain.errors import Unavailable
from tests.web.asgi import Reply, signed_form
from tests.web.conftest import ACCOUNT, PUBLIC_URL, SMS_SENDER, TOKEN, World

SID = "SM" + "0123456789abcdef" * 2
INBOUND = {
    "MessageSid": SID,
    "SmsSid": SID,
    "SmsMessageSid": SID,
    "AccountSid": ACCOUNT,
    "From": "+15559876543",
    "To": SMS_SENDER,
    "Body": "Hello & good morning, caf\xe9 \U0001f44b",
    "NumMedia": "0",
    "NumSegments": "1",
    "ApiVersion": "2010-04-01",
    "SmsStatus": "received",
}
STATUS = {
    "MessageSid": SID,
    "SmsSid": SID,
    "AccountSid": ACCOUNT,
    "From": SMS_SENDER,
    "To": "+15559876543",
    "MessageStatus": "delivered",
    "SmsStatus": "delivered",
    "ApiVersion": "2010-04-01",
}


async def deliver(
    world: World, path: str, fields: dict[str, str], *, token: str = TOKEN, signature: str | None = None
) -> Reply:
    """A webhook as Twilio sends it."""
    body, made = signed_form(PUBLIC_URL + path, token, fields)
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Twilio-Signature": made if signature is None else signature,
        "Host": "evil.example",
        "X-Forwarded-Host": "evil.example",
    }
    return await world.client.with_key(None).call("POST", path, body=body, headers=headers)


async def test_a_message_is_kept_once_and_answered_with_empty_twiml(world: World) -> None:
    for _ in range(3):
        reply = await deliver(world, "/webhooks/twilio/inbound", INBOUND)
        assert reply.status == 200
        assert reply.headers["content-type"].startswith("text/xml")
        assert reply.body == b'<?xml version="1.0" encoding="UTF-8"?><Response/>'
    assert await world.count("inbox") == 1


async def test_a_status_is_kept_with_its_query_as_it_was_signed(world: World) -> None:
    path = "/webhooks/twilio/status?message=01a&attempt=1&mac=a%2Bb%2F"
    reply = await deliver(world, path, STATUS)
    assert (reply.status, reply.body) == (204, b"")
    assert "content-length" not in reply.headers
    assert await world.count("inbox") == 1


@pytest.mark.promise("P6")
@pytest.mark.parametrize("path", ["/webhooks/twilio/inbound", "/webhooks/twilio/status"])
@pytest.mark.parametrize(
    ("token", "signature", "fields"),
    [
        ("another token", None, {}),
        (TOKEN, "", {}),
        (TOKEN, "AAAA", {}),
        (TOKEN, "caf\xe9", {}),
        (TOKEN, None, {"AccountSid": "AC" + "f" * 32}),
    ],
)
async def test_a_forged_webhook_is_refused_and_leaves_no_row(
    world: World, path: str, token: str, signature: str | None, fields: dict[str, str]
) -> None:
    base = INBOUND if path.endswith("inbound") else STATUS
    reply = await deliver(world, path, {**base, **fields}, token=token, signature=signature)
    assert reply.status == 403
    assert reply.detail["code"] == "webhook_forged"
    assert await world.count("inbox") == 0


async def test_a_webhook_without_a_signature_is_forged(world: World) -> None:
    reply = await world.client.call("POST", "/webhooks/twilio/inbound", body=b"MessageSid=SM1")
    assert reply.status == 403


async def test_a_signed_webhook_that_makes_no_sense_is_refused(world: World) -> None:
    reply = await deliver(world, "/webhooks/twilio/inbound", {**INBOUND, "From": "nobody"})
    assert (reply.status, reply.detail["field"]) == (400, "From")
    assert await world.count("inbox") == 0


async def test_a_webhook_beyond_the_limit_is_not_read(world: World) -> None:
    reply = await deliver(world, "/webhooks/twilio/inbound", {**INBOUND, "Body": "x" * 256 * 1024})
    assert reply.status == 413


@pytest.mark.promise("P3")
async def test_a_webhook_is_not_acknowledged_while_the_database_is_away(world: World) -> None:
    await world.store.close()
    reply = await deliver(world, "/webhooks/twilio/inbound", INBOUND)
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) >= 1
    with pytest.raises(Unavailable):
        await world.count("inbox")
    await world.store.open()
    assert await world.count("inbox") == 0
