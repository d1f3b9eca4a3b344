"""What went wrong on our side is said with an id and nothing else."""

from dataclasses import replace

from overture.domain.ports import RawEvent
from overture.web.app import make_app
from tests.web.asgi import Client
from tests.web.conftest import World


class BrokenVerifier:
    """A verifier with a fault in it."""

    def verify_inbound(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """Fail as only a fault does."""
        raise RuntimeError(f"secret {signature}")

    def verify_status(self, *, path_and_query: str, body: bytes, signature: str | None) -> RawEvent:
        """As above."""
        raise RuntimeError(f"secret {signature}")


async def test_a_fault_of_ours_is_a_500_that_tells_no_secret(world: World) -> None:
    client = Client(make_app(replace(world.parts, verifier=BrokenVerifier())))
    reply = await client.call(
        "POST", "/webhooks/twilio/inbound", headers={"X-Twilio-Signature": "abc", "X-Request-Id": "trace-me"}
    )
    assert (reply.status, reply.detail["code"], reply.detail["category"]) == (500, "internal_error", "internal")
    assert reply.detail["request_id"] == "trace-me"
    assert b"secret" not in reply.body
    assert b"Traceback" not in reply.body
