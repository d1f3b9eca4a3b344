"""Save a pool, or a sender's own pace, and take one away."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from overture.domain.channel import Channel
from overture.domain.errors import Invalid, Unknown
from overture.domain.pace import FASTEST, SLOWEST, PoolKind
from overture.domain.portfolio import FEWEST, MOST
from overture.domain.ports import Ids
from overture.store import instances, pools, recipients, senders
from overture.store.engine import Writing
from overture.store.pools import Pool

MOST_MEMBERS: Final = 10_000
LONGEST_NAME: Final = 64


async def save_pool(
    tx: Writing,
    workspace_id: str,
    *,
    name: str,
    kind: PoolKind,
    per_second: float | None,
    recipients_a_day: int | None = None,
    sender_ids: Sequence[str],
    now: datetime,
    ids: Ids,
) -> Pool:
    """Make a pool of these senders, or let it be of these from now on. The caller commits. Raises Invalid, Unknown."""
    if kind is PoolKind.SENDER:
        raise Invalid(
            "invalid_request",
            "A sender's own pace is a property of the sender.",
            field="kind",
            hint="PATCH /overture/v1/senders/{sender_id} with pace_per_second.",
        )
    _check_limits(per_second, recipients_a_day)
    await instances.lock_workspace(tx, workspace_id, now)
    in_use = {sender.id for sender in await senders.list_active(tx, workspace_id)}
    for an_id in sender_ids:
        if an_id not in in_use:
            raise Unknown(
                "sender_unknown",
                f"There is no sender {an_id[:40]}.",
                field="senders",
                hint="GET /overture/v1/senders lists them.",
            )
    known = await pools.lock(tx, workspace_id, name)
    pool = Pool(
        id=ids.new(now) if known is None else known.id,
        kind=kind,
        name=name,
        per_second=per_second,
        recipients_a_day=recipients_a_day,
        sender_ids=tuple(sorted(set(sender_ids))),
    )
    await pools.save(tx, workspace_id, pool)
    if recipients_a_day is None and known is not None and known.recipients_a_day is not None:
        await recipients.forget_all(tx, pool.id)
    return pool


async def remove_pool(tx: Writing, workspace_id: str, name: str) -> None:
    """Take a pool away: its senders go on without it. The caller commits. Raises Unknown."""
    known = await pools.lock(tx, workspace_id, name)
    if known is None:
        raise Unknown(
            "pool_unknown",
            f"There is no pool {name[:64]}.",
            field="pool_name",
            hint="GET /overture/v1/pools lists them.",
        )
    await pools.remove(tx, workspace_id, known.id)
    await recipients.forget_all(tx, known.id)


async def save_own_pace(
    tx: Writing, workspace_id: str, sender_id: str, channel: Channel, address: str, per_second: float | None
) -> None:
    """Let a sender have this pace of its own; None takes it away. The caller commits. Raises Invalid."""
    if per_second is None:
        await pools.remove(tx, workspace_id, sender_id)
        return
    check_pace(per_second, field="pace_per_second")
    pool = Pool(
        id=sender_id,
        kind=PoolKind.SENDER,
        name=f"{channel}:{address}",
        per_second=per_second,
        sender_ids=(sender_id,),
    )
    await pools.save(tx, workspace_id, pool)


def check_name(name: str) -> str:
    """The name of a pool. Raises Invalid for what cannot be one."""
    if not name.isprintable() or not name.strip() or len(name) > LONGEST_NAME:
        raise Invalid(
            "invalid_request", f"A pool's name has 1 to {LONGEST_NAME} characters that can be read.", field="name"
        )
    if "/" in name or name in (".", ".."):
        raise Invalid(
            "invalid_request",
            "A pool's name must not have a slash in it, nor be dots alone.",
            field="name",
            hint="It is a part of the address by which the pool is taken away.",
        )
    return name


def check_pace(per_second: float, *, field: str) -> None:
    """Refuse what is no pace. Raises Invalid."""
    if not (math.isfinite(per_second) and SLOWEST <= per_second <= FASTEST):
        raise Invalid(
            "invalid_request",
            f"A pace lies between {SLOWEST:g} and {FASTEST:g} a second.",
            field=field,
            hint="Segments a second for SMS, messages a second for WhatsApp; null for none.",
        )


def _check_limits(per_second: float | None, recipients_a_day: int | None) -> None:
    if per_second is not None:
        check_pace(per_second, field="pace_per_second")
    elif recipients_a_day is None:
        raise Invalid(
            "invalid_request",
            "A pool has a pace, a limit of recipients, or both.",
            field="pace_per_second",
            hint="Give pace_per_second or recipients_a_day; DELETE /overture/v1/pools/{pool_name} takes a pool away.",
        )
    if recipients_a_day is not None and not FEWEST <= recipients_a_day <= MOST:
        raise Invalid(
            "invalid_request",
            f"A limit of recipients lies between {FEWEST} and {MOST}.",
            field="recipients_a_day",
            hint="Meta's tiers are 250, 2000, 10000 and 100000; null for no limit.",
        )
