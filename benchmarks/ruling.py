"""Every rule at once, none of which keeps an opening back: what asking them costs an accept."""

from typing import Final

from overture.actions.save_pool import save_own_pace
from overture.bootstrap import WORKSPACE
from overture.domain.channel import Channel
from overture.domain.price_list import PriceList
from overture.domain.prices import Category, Price
from overture.domain.rules import Cap, Measure, Per, QuietHours, RequireConsent, Rules
from overture.store import prices, rules, senders
from overture.store.engine import Writing

_MANY: Final = 10**12
_PER_SECOND: Final = 10_000.0  # more than any server accepts, so that the queue never fills

EVERY: Final = Rules(
    countries=["US", "DE"],
    quiet_hours=QuietHours(start="03:00", end="03:01", stricter_states=False, time_zone="Pacific/Kiritimati"),
    require_consent=RequireConsent.WARN,
    caps=[
        Cap(at_most=_MANY, within_seconds=86_400),
        Cap(at_most=_MANY, within_seconds=86_400, count=Measure.SEGMENTS),
        Cap(at_most=_MANY, within_seconds=86_400, count=Measure.MONEY),
        Cap(at_most=100, within_seconds=86_400, per=Per.CONTACT),
    ],
)


async def set_all(tx: Writing) -> None:
    """Set every rule, a price table, and the sender's pace."""
    await rules.set_of_workspace(tx, WORKSPACE, EVERY)
    listed = tuple(
        Price(channel=Channel.SMS, prefix=prefix, category=Category.SEGMENT, micros=micros)
        for prefix, micros in (("+1", 7_900), ("+49", 75_000), ("+1555", 8_300))
    )
    await prices.replace(tx, WORKSPACE, "bench", PriceList(currency="USD", rows=listed))
    for sender in await senders.list_active(tx, WORKSPACE):
        await save_own_pace(tx, WORKSPACE, sender.id, sender.channel, sender.address, _PER_SECOND)
