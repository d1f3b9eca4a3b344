"""Webhooks that nothing could be made of, as the inbox keeps them."""

from urllib.parse import urlencode

from overture.domain.ports import RawEvent
from overture.store import inbox
from tests.web.conftest import ACCOUNT, World


async def an_unrouted_webhook(world: World, state: str = "unrouted", sid: str = "SM" + "7" * 32) -> str:
    """The id of a message that came to a number which is no sender of ours."""
    form = {"MessageSid": sid, "AccountSid": ACCOUNT, "From": "+15559876543", "To": "+15550001111", "Body": "Hello?"}
    event = RawEvent(
        kind="inbound",
        account_sid=ACCOUNT,
        unique_key=sid,
        ordering_key=f"{ACCOUNT}|+15550001111|+15559876543",
        query="",
        body=urlencode(form).encode(),
    )
    await world.parts.webhooks.submit(event)
    [kept] = await world.store.write(lambda tx: inbox.lock_due(tx, world.store.now(), 10))
    left = inbox.Handled(id=kept.id, shard=kept.shard, state=state, outcome="The address is no active sender.")
    await world.store.write(lambda tx: inbox.finish(tx, [left]))
    return kept.id
