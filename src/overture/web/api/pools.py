"""Pools: what several senders share a pace in, or a limit of recipients."""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from overture.actions.save_pool import MOST_MEMBERS, check_name, remove_pool, save_pool
from overture.domain import portfolio
from overture.domain.access import Scope
from overture.domain.pace import FASTEST, SLOWEST, PoolKind
from overture.domain.portfolio import FEWEST, MOST, Portfolio
from overture.store import pools, recipients
from overture.store.engine import Reading, Writing
from overture.store.pools import Pool
from overture.web.routes import Answer, Call, delete, get, put


class NewPool(Struct, frozen=True, kw_only=True):
    """What several senders share: all of them together send at most this pace, to at most so many people a day."""

    name: Annotated[str, Meta(min_length=1, max_length=64, description="What to call it.")]
    pace_per_second: Annotated[
        Annotated[float, Meta(ge=SLOWEST, le=FASTEST)] | None,
        Meta(description="Segments (SMS) or messages that leave in a second; null for no pace."),
    ] = None
    recipients_a_day: Annotated[
        Annotated[int, Meta(ge=FEWEST, le=MOST)] | None,
        Meta(description="People written to first over WhatsApp within 24 hours; null for no limit."),
    ] = None
    senders: Annotated[list[str], Meta(max_length=MOST_MEMBERS, description="The ids of the senders in it.")]
    kind: Annotated[
        PoolKind,
        Meta(description="What it stands for; sender is none of these: that is a property of the sender."),
    ] = PoolKind.FREE


class PoolView(Struct, frozen=True, kw_only=True):
    """A pool and its senders.

    `recipients_used` is how many people count of `recipients_a_day` now, `recipients_free_at` when there is room for
    one more. All three are null where there is no such limit.
    """

    name: str
    kind: PoolKind
    pace_per_second: float | None
    recipients_a_day: int | None
    recipients_used: int | None
    recipients_free_at: datetime | None
    senders: list[str]


class PoolList(Struct, frozen=True, kw_only=True):
    """Every pool of the workspace, but for the pace that a sender has for itself."""

    pools: list[PoolView]


@get("/overture/v1/pools", may=Scope.ADMIN, gives=PoolList, tag="Accounts")
async def list_pools(call: Call[None, None]) -> PoolList:
    """List the pools.

    A sender's own pace stands with the sender.
    """
    now = call.now

    async def look(tx: Reading) -> PoolList:
        found = [one for one in await pools.list_all(tx, call.workspace_id) if one.kind is not PoolKind.SENDER]
        limited = await recipients.list_portfolios(tx, call.workspace_id, now)
        return PoolList(pools=[_view(one, limited.get(one.id), now) for one in found])

    return await call.parts.store.read(look)


@put(
    "/overture/v1/pools",
    may=Scope.ADMIN,
    takes=NewPool,
    gives=PoolView,
    tag="Accounts",
    example={"name": "spring", "kind": "campaign", "pace_per_second": 4.5, "senders": []},
    refusals=(400,),
)
async def save_one_pool(call: Call[NewPool, None]) -> PoolView:
    """Make a pool, or change it.

    A sender may be in several; it sends as fast as all of them allow. What is there of this name is replaced.
    """
    asked = call.body
    now = call.now

    async def save(tx: Writing) -> PoolView:
        saved = await save_pool(
            tx,
            call.workspace_id,
            name=check_name(asked.name),
            kind=asked.kind,
            per_second=asked.pace_per_second,
            recipients_a_day=asked.recipients_a_day,
            sender_ids=asked.senders,
            now=now,
            ids=call.parts.ids,
        )
        return _view(saved, (await recipients.list_portfolios(tx, call.workspace_id, now)).get(saved.id), now)

    shown = await call.parts.store.write(save)
    call.parts.signals.wake("outbox")
    return shown


@delete("/overture/v1/pools/{pool_name}", may=Scope.ADMIN, status=204, tag="Accounts", refusals=(404,))
async def remove_one_pool(call: Call[None, None]) -> Any:
    """Take a pool away.

    What waits in it goes on without it.
    """
    name = call.path["pool_name"]
    await call.parts.store.write(lambda tx: remove_pool(tx, call.workspace_id, name))
    call.parts.signals.wake("outbox")
    return Answer(status=204)


def _view(one: Pool, limited: Portfolio | None, now: datetime) -> PoolView:
    return PoolView(
        name=one.name,
        kind=one.kind,
        pace_per_second=one.per_second,
        recipients_a_day=one.recipients_a_day,
        recipients_used=None if limited is None else portfolio.used(limited, now),
        recipients_free_at=None if limited is None else portfolio.free_at(limited, now),
        senders=list(one.sender_ids),
    )
