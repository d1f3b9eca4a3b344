"""What messages will cost, told before they are sent: counted in segments, priced by the operator's table."""

from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache

from msgspec import Struct

from overture.domain import prices, segments, window
from overture.domain.channel import Channel
from overture.domain.message import Body, Template, Text, shown
from overture.domain.prices import Cost, PriceTable
from overture.domain.sending import ByTurn, Facts, Opens, Start, Verdict, parts
from overture.domain.template import Known


class Counted(Struct, frozen=True, kw_only=True, cache_hash=True):
    """One message: its segments, None where its words are not known, and its cost, None where no price is."""

    segments: int | None
    cost: Cost | None


class Carried(Struct, frozen=True, kw_only=True):
    """One of the messages that carry an opening: what it says, and what that takes."""

    body: Text | Template
    counted: Counted

    @property
    def segments(self) -> int:
        """How many it counts for a pace and for a cap: one, too, where its text is the provider's."""
        return self.counted.segments or 1


def carry(start: Start, facts: Facts, verdict: Verdict, now: datetime) -> tuple[Carried, ...]:
    """The messages that a verdict opens with, one after the other; none where the agent composes them later."""
    if not isinstance(verdict, Opens) or isinstance(verdict.opening, ByTurn):
        return ()
    heard = None if facts.thread is None else facts.thread.last_inbound_at
    is_open = window.is_open(heard, now)
    return tuple(
        Carried(
            body=body,
            counted=_count(
                body, start.channel, start.to_number, facts.prices, template=facts.template, is_open=is_open
            ),
        )
        for body in parts(verdict.opening, start.channel)
    )


def of_reply(
    body: Body,
    channel: Channel,
    number: str,
    table: PriceTable | None,
    *,
    template: Known | None = None,
    is_open: bool = True,
) -> Counted:
    """What a later message will cost; `template` is the one that it uses, where that is known."""
    return _count(body, channel, number, table, template=template, is_open=is_open)


def total(counted: Iterable[Counted]) -> Cost | None:
    """What messages will cost together; None where the cost of one is not known, or there is none."""
    costs = [one.cost for one in counted]
    known = [cost for cost in costs if cost is not None]
    if not known or len(known) != len(costs):
        return None
    return Cost(micros=sum(cost.micros for cost in known), currency=known[0].currency)


def segments_of(body: Body, channel: Channel) -> int | None:
    """How many segments a message takes: one on WhatsApp; none that can be told where its words are the provider's."""
    match channel:
        case Channel.SMS if isinstance(body, Template) and body.rendered is None:
            return None
        case Channel.SMS:
            return segments.count(shown(body))
        case Channel.WHATSAPP:
            return 1
        case Channel.API:
            return None


def _count(
    body: Body, channel: Channel, number: str, table: PriceTable | None, *, template: Known | None, is_open: bool
) -> Counted:
    counted = segments_of(body, channel)
    if table is None:
        return _counted(counted, None)
    is_known = template is not None and isinstance(body, Template) and body.content_sid == template.template.content_sid
    expected = prices.estimate(
        table,
        channel,
        number,
        segments=counted,
        category=template.template.category if is_known and template is not None else None,
        is_template=isinstance(body, Template),
        is_window_open=is_open,
    )
    return _counted(counted, expected)


@lru_cache(maxsize=1024)  # many messages are as long, and go to as dear a place
def _counted(segments: int | None, cost: Cost | None) -> Counted:
    return Counted(segments=segments, cost=cost)
