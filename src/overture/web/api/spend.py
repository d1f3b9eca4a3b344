"""What messages cost, in sums."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from overture.domain import spending as sums
from overture.domain.access import Scope
from overture.domain.prices import amount
from overture.domain.spending import By, Part, Spent
from overture.store import model_use, spending
from overture.store.engine import Reading
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


class ModelSpendView(Struct, frozen=True, kw_only=True):
    """What language models took on one day or for one agent. `cost` and `currency` are null where no price is set."""

    key: str
    name: Annotated[str, Meta(description="The day or the agent's name.")]
    requests: int
    input_tokens: int
    output_tokens: int
    cost: str | None
    currency: str | None


class SpendList(Struct, frozen=True, kw_only=True):
    """Sums over whole days in UTC, both included."""

    from_: Annotated[date, Meta(description="The first day.")] = msgspec.field(name="from")
    to: Annotated[date, Meta(description="The last day.")]
    by: By
    spend: list[SpendView]
    total: SpendView
    models: Annotated[list[ModelSpendView], Meta(description="By day or agent; empty by sender: models have none.")]


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
    belongs to the day on which it was written. What language models took is told beside it.
    """
    asked = call.query
    period = sums.period(asked.from_, asked.to, call.now)

    async def look(tx: Reading) -> tuple[list[Part], list[model_use.Spent]]:
        parts = await spending.list_parts(tx, call.workspace_id, period, asked.by)
        if asked.by is By.SENDER:
            return parts, []
        by_agent = asked.by is By.AGENT
        used = await model_use.list_days(tx, call.workspace_id, period.begins, period.ends, by_agent=by_agent)
        return parts, used

    parts, used = await call.parts.store.read(look)
    return SpendList(
        from_=period.begins.date(),
        to=(period.ends - _ONE_DAY).date(),
        by=asked.by,
        spend=[_view(one, asked.by) for one in sums.summed(parts)],
        total=_view(sums.total(parts), None),
        models=[_of_models(one, asked.by) for one in used],
    )


def _of_models(used: model_use.Spent, by: By) -> ModelSpendView:
    name = _day(used.key) if by is By.DAY else used.name
    return ModelSpendView(
        key=name if by is By.DAY else used.key,
        name=name,
        requests=used.requests,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost=amount(used.micros) if used.currency else None,
        currency=used.currency or None,
    )


def _day(number: str) -> str:
    return (_EPOCH + int(number) * _ONE_DAY).date().isoformat()


def _view(spent: Spent, by: By | None) -> SpendView:
    key, name = spent.key, spent.name
    if by is By.DAY:
        key = name = _day(spent.key)
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
