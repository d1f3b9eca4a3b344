"""What the tests of sweeps share: messages that no webhook brought, and the road that finds them."""

from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from typing import Any

from overture.domain.channel import Channel
from overture.store.engine import stored
from overture.workers.sweeping import SweepRoad
from tests.world import ADA, OURS, SMS, WHATSAPP, World


def a_road(world: World, *, is_stopping: Callable[[], bool] = lambda: False) -> SweepRoad:
    """A sweep road, as a process of its own would have it."""
    return SweepRoad(
        store=world.store,
        provider=world.client,
        parser=world.webhooks,
        ids=world.ids,
        signals=world.signals,
        is_stopping=is_stopping,
    )


def sid(n: int) -> str:
    """A SID of a message whose webhook got lost."""
    return f"SMe{n:031x}"


def lost(world: World, text: str, *, at: datetime | timedelta | None = None, **given: Any) -> str:
    """A contact (Ada, over SMS) wrote and the webhook got lost: the provider's list alone has it. Its SID.

    `at` is when, or how long ago; further fields of the record by their names.
    """
    channel, by, to = given.pop("channel", SMS), given.pop("by", ADA), given.pop("to", OURS)
    prefix = "whatsapp:" if channel == WHATSAPP else ""
    when = at if isinstance(at, datetime) else world.clock.now() - (at or timedelta())
    record = {
        "sid": sid(len(world.twilio.taken)),
        "date_created": format_datetime(when),
        "direction": "inbound",
        "status": "received",
        "from": prefix + by,
        "to": prefix + to,
        "body": text,
        "num_media": "0",
        "callback": "",
    } | given
    world.twilio.taken.append(record)
    return str(record["sid"])


def said(
    world: World,
    text: str,
    *,
    at: datetime | timedelta | None = None,
    to: str = ADA,
    channel: Channel = SMS,
    **given: Any,
) -> str:
    """Somebody else sent a message from our number; its SID."""
    prefix = "whatsapp:" if channel is WHATSAPP else ""
    direct = {"direction": "outbound-api", "status": "delivered", "from": prefix + OURS, "to": prefix + to}
    found = lost(world, text, at=at)
    world.twilio.taken[-1] |= direct | given
    return found


async def listens(world: World) -> None:
    """Webhooks of every sender reached us an hour after it was activated, two days ago."""
    now = world.clock.now()
    await world.change(
        "UPDATE sender SET webhook_seen_at = $1, activated_at = $2, created_at = $2",
        stored(now - timedelta(hours=47)),
        stored(now - timedelta(hours=48)),
    )


async def polls(world: World, channel: Channel | None = None) -> None:
    """The senders (of a channel) were set to poll, and activated two days ago; none has seen a webhook."""
    where = "" if channel is None else f"WHERE channel = '{channel.value}'"
    await world.change(
        f"UPDATE sender SET inbound = 'poll', activated_at = $1, created_at = $1 {where}",
        stored(world.clock.now() - timedelta(hours=48)),
    )


async def looks_again(world: World, road: SweepRoad, seconds: float = 3) -> None:
    """Some seconds pass, the road looks, and what it found is handled and answered."""
    world.clock.passes(seconds=seconds)
    await road.look()
    await world.handles()
    await world.takes_turns()
    await world.sends()


async def is_started(world: World) -> SweepRoad:
    """A process starts: everything that it sweeps is swept, handled, and opened."""
    road = a_road(world)
    await road.look()
    await world.handles()
    await road.look()
    return road


async def shut(world: World) -> list[tuple[str, str]]:
    """The senders that are shut, as (channel, because)."""
    rows = await world.rows("SELECT channel, shut_because FROM sender WHERE shut_at IS NOT NULL ORDER BY channel")
    return [(row[0], row[1]) for row in rows]
