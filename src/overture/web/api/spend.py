"""What messages cost, in sums."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from overture.domain import spending as sums
from overture.domain.access import Scope
from overture.domain.prices import amount
from overture.domain.spending import By, Spent
from overture.store import spending
from overture.web.routes import Call, get

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ONE_DAY: Final = timedelta(days=1)


class SumView(Struct, frozen=True, kw_only=True):
    """Amounts of one currency, as decimals; different currencies are never added up."""

    currency: str
    estimated: str
    charged: str


class SpendView(Struct, frozen=True, kw_only=True):
    """What was spent on one day, from one sender or by one agent, or in all.

    Only messages that the provider took count. `not_estimated` are those that the price table had no price for when
    they were written, `not_charged` those that the provider has named no price for.
    """

    key: str
    name: Annotated[str, Meta(description="The day, the sender's address or the agent's name.")]
    messages: int
    segments: int
    not_estimated: int
    not_charged: int
    amounts: list[SumView]


class SpendList(Struct, frozen=True, kw_only=True):
    """Sums over whole days in UTC, both included."""

    from_: Annotated[date, Meta(description="The first day.")] = msgspec.field(name="from")
    to: Annotated[date, Meta(description="The last day.")]
    by: By
    spend: list[SpendView]
    total: SpendView


class ListSpend(Struct, frozen=True, kw_only=True):
    """Which sums."""

    from_: Annotated[date | None, Meta(description="The first day, as 2026-03-01; else 30 days back.")] = msgspec.field(
        name="from", default=None
    )
    to: Annotated[date | None, Meta(description="The last day; else today. Days are UTC's.")] = None
    by: Annotated[By, Meta(description="What is summed up together.")] = By.DAY


@get("/overture/v1/spend", may=Scope.READ, asks=ListSpend, gives=SpendList, tag="Costs", refusals=(400,))
async def list_spend(call: Call[None, ListSpend]) -> SpendList:
    """Tell what was spent.

    By day, sender or agent: messages, segments, what they were expected to cost and what was charged. A message
    belongs to the day on which it was written.
    """
    asked = call.query
    period = sums.period(asked.from_, asked.to, call.now)
    parts = await call.parts.store.read(lambda tx: spending.list_parts(tx, call.workspace_id, period, asked.by))
    return SpendList(
        from_=period.begins.date(),
        to=(period.ends - _ONE_DAY).date(),
        by=asked.by,
        spend=[_view(one, asked.by) for one in sums.summed(parts)],
        total=_view(sums.total(parts), None),
    )


def _view(spent: Spent, by: By | None) -> SpendView:
    key, name = spent.key, spent.name
    if by is By.DAY:
        key = name = (_EPOCH + int(spent.key) * _ONE_DAY).date().isoformat()
    return SpendView(
        key=key,
        name=name,
        messages=spent.messages,
        segments=spent.segments,
        not_estimated=spent.not_expected,
        not_charged=spent.not_charged,
        amounts=[
            SumView(currency=one.currency, estimated=amount(one.expected), charged=amount(one.charged))
            for one in spent.sums
        ],
    )
