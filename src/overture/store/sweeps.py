"""What sweeps go by: which accounts have somebody to sweep for, how far each was read, and whose queue waits for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store.accounts import BreakerState, ShutBecause
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row

_STANDING: Final = Query(
    """
    SELECT s.account_sid, s.listens, s.first_shut, s.last_shut, s.shut_at_start, a.swept_at, a.swept_to,
        coalesce(a.breaker, 'closed'), a.breaker_at
    FROM (
        SELECT account_sid, min(shut_at) AS first_shut, max(shut_at) AS last_shut,
            max(CASE WHEN shut_because IN ('start', 'restore') THEN 1 ELSE 0 END) AS shut_at_start,
            max(CASE WHEN webhook_seen_at IS NOT NULL AND activated_at IS NOT NULL THEN 1 ELSE 0 END) AS listens
        FROM sender WHERE removed_at IS NULL AND (CAST($1 AS text) IS NULL OR workspace_id = $1) GROUP BY account_sid
    ) s
    LEFT JOIN (
        SELECT sid, min(swept_at) AS swept_at, min(swept_to) AS swept_to, max(breaker) AS breaker,
            max(breaker_at) AS breaker_at
        FROM provider_account GROUP BY sid
    ) a ON a.sid = s.account_sid
    ORDER BY s.account_sid
    """
)
_MARK: Final = Command(
    """
    UPDATE provider_account SET
        swept_at = CASE WHEN swept_at IS NULL OR swept_at < $2 THEN $2 ELSE swept_at END,
        swept_to = CASE WHEN CAST($3 AS bigint) IS NOT NULL AND (swept_to IS NULL OR swept_to < $3)
                        THEN $3 ELSE swept_to END
    WHERE sid = $1
    """
)
_SHUT: Final = Command(
    """
    UPDATE sender SET shut_at = $1, shut_because = coalesce(shut_because, $2) WHERE removed_at IS NULL RETURNING id
    """
)
_OPEN: Final = Command(
    """
    UPDATE sender SET shut_at = NULL, shut_because = NULL
    WHERE account_sid = $1 AND shut_at <= $2 AND restored_from IS NULL AND (
        shut_because <> 'restore' OR NOT EXISTS (
            SELECT 1 FROM outbox WHERE outbox.sender_id = sender.id AND outbox.state IN ('sending', 'uncertain')
        )
    )
    RETURNING id
    """
)
_WAITING: Final = Query(
    """
    SELECT account_sid, min(shut_because), min(shut_at) FROM sender
    WHERE removed_at IS NULL AND shut_at <= $1 AND (CAST($2 AS text) IS NULL OR workspace_id = $2)
    GROUP BY account_sid ORDER BY account_sid
    """
)


class Standing(Struct, frozen=True, kw_only=True):
    """How an account stands. `listens` where an active sender's webhook has reached us.

    `first_shut` and `last_shut` are the instants between which those of its senders were shut that still are;
    `awaits_sweep` where one of them is shut for a start or a restore.
    """

    account_sid: str
    listens: bool
    first_shut: datetime | None
    last_shut: datetime | None
    awaits_sweep: bool
    swept_at: datetime | None
    swept_to: datetime | None
    breaker: BreakerState
    breaker_at: datetime | None


class Waiting(Struct, frozen=True, kw_only=True):
    """An account with a queue that is shut."""

    account_sid: str
    because: ShutBecause
    since: datetime


async def list_standing(tx: Reading, workspace_id: str | None = None) -> list[Standing]:
    """Every account that has senders, of all workspaces or of one."""
    return [_standing(row) for row in await tx.all(_STANDING, workspace_id)]


async def mark(tx: Writing, account_sid: str, swept_at: datetime, up_to: datetime | None) -> None:
    """Record a sweep that began at an instant and read all that the provider dated before `up_to`. Both only rise."""
    await tx.run(_MARK, account_sid, stored(swept_at), stored_or_none(up_to))


async def shut_at_start(tx: Writing, now: datetime) -> Sequence[str]:
    """Shut every sender's queue anew; one that was shut for a reason stays so for that one. Their ids."""
    return [row[0] for row in await tx.run(_SHUT, stored(now), ShutBecause.START.value)]


async def open_swept(tx: Writing, account_sid: str, shut_by: datetime) -> Sequence[str]:
    """Open an account's senders that were shut by an instant; their ids.

    One that came back with a backup stays shut while anything of it is uncertain: it may have gone out before.
    """
    return [row[0] for row in await tx.run(_OPEN, account_sid, stored(shut_by))]


async def list_waiting(tx: Reading, shut_by: datetime, workspace_id: str | None = None) -> list[Waiting]:
    """Accounts with a queue that has been shut since an instant or before, of all workspaces or of one."""
    return [
        Waiting(account_sid=row[0], because=ShutBecause(row[1]), since=instant(row[2]))
        for row in await tx.all(_WAITING, stored(shut_by), workspace_id)
    ]


def _standing(row: Row) -> Standing:
    return Standing(
        account_sid=row[0],
        listens=bool(row[1]),
        first_shut=instant_or_none(row[2]),
        last_shut=instant_or_none(row[3]),
        awaits_sweep=bool(row[4]),
        swept_at=instant_or_none(row[5]),
        swept_to=instant_or_none(row[6]),
        breaker=BreakerState(row[7]),
        breaker_at=instant_or_none(row[8]),
    )
