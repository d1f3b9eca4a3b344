"""Pools: what several senders share a pace in."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from overture.actions.save_pool import MOST_MEMBERS, check_name, remove_pool, save_pool
from overture.domain.access import Scope
from overture.domain.pace import FASTEST, SLOWEST, PoolKind
from overture.store import pools
from overture.store.pools import Pool
from overture.web.routes import Answer, Call, delete, get, put


class NewPool(Struct, frozen=True, kw_only=True):
    """What several senders share: all of them together send at most this pace."""

    name: Annotated[str, Meta(min_length=1, max_length=64, description="What to call it.")]
    pace_per_second: Annotated[
        float, Meta(ge=SLOWEST, le=FASTEST, description="Segments (SMS) or messages that leave in a second.")
    ]
    senders: Annotated[list[str], Meta(max_length=MOST_MEMBERS, description="The ids of the senders in it.")]
    kind: Annotated[
        PoolKind,
        Meta(description="What it stands for; sender is none of these: that is a property of the sender."),
    ] = PoolKind.FREE


class PoolView(Struct, frozen=True, kw_only=True):
    """A pool and its senders."""

    name: str
    kind: PoolKind
    pace_per_second: float
    senders: list[str]


class PoolList(Struct, frozen=True, kw_only=True):
    """Every pool of the workspace, but for the pace that a sender has for itself."""

    pools: list[PoolView]


@get("/overture/v1/pools", may=Scope.ADMIN, gives=PoolList, tag="Accounts")
async def list_pools(call: Call[None, None]) -> PoolList:
    """List the pools.

    A sender's own pace stands with the sender.
    """
    found = await call.parts.store.read(lambda tx: pools.list_all(tx, call.workspace_id))
    return PoolList(pools=[_view(one) for one in found if one.kind is not PoolKind.SENDER])


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
    saved = await call.parts.store.write(
        lambda tx: save_pool(
            tx,
            call.workspace_id,
            name=check_name(asked.name),
            kind=asked.kind,
            per_second=asked.pace_per_second,
            sender_ids=asked.senders,
            now=call.now,
            ids=call.parts.ids,
        )
    )
    call.parts.signals.wake("outbox")
    return _view(saved)


@delete("/overture/v1/pools/{pool_name}", may=Scope.ADMIN, status=204, tag="Accounts", refusals=(404,))
async def remove_one_pool(call: Call[None, None]) -> Any:
    """Take a pool away.

    What waits in it goes on without it.
    """
    name = call.path["pool_name"]
    await call.parts.store.write(lambda tx: remove_pool(tx, call.workspace_id, name))
    call.parts.signals.wake("outbox")
    return Answer(status=204)


def _view(one: Pool) -> PoolView:
    return PoolView(name=one.name, kind=one.kind, pace_per_second=one.per_second, senders=list(one.sender_ids))
