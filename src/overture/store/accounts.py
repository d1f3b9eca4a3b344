"""Stored provider accounts: how far each was swept, and whether its breaker lets anything out.

A sender is shut while its account is to be swept first, or while its breaker is not closed; the claims pass it over.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.store.engine import Reading, Writing, instant_or_none, stored
from overture.store.statement import Command, Query, Row

_ADD: Final = Command(
    "INSERT INTO provider_account (workspace_id, sid, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING"
)
_COLUMNS: Final = "workspace_id, sid, swept_at, swept_to, breaker, breaker_at, probe_at"
_LIST: Final = Query(f"SELECT {_COLUMNS} FROM provider_account ORDER BY workspace_id, sid")
_LOCK: Final = Query(
    f"SELECT {_COLUMNS} FROM provider_account WHERE sid = $1 ORDER BY workspace_id /*pg: FOR UPDATE */"
)
_LOCK_PROBE: Final = Query(
    """
    SELECT sid FROM provider_account WHERE sid = $1 AND breaker = 'half_open' AND probe_at <= $2
    /*pg: FOR UPDATE SKIP LOCKED */
    """
)
_SET_BREAKER: Final = Command(
    "UPDATE provider_account SET breaker = $2, breaker_at = $3, probe_at = $3 WHERE sid = $1 AND breaker <> $2"
)
_SET_PROBE: Final = Command("UPDATE provider_account SET probe_at = $2 WHERE sid = $1")
_SHUT: Final = Command(
    """
    UPDATE sender SET shut_at = $2, shut_because = $3 WHERE account_sid = $1 AND removed_at IS NULL RETURNING id
    """
)
_SHUT_ALL: Final = Command("UPDATE sender SET shut_at = $1, shut_because = $2 WHERE removed_at IS NULL RETURNING id")
_ADD_OF_SENDERS: Final = Command(
    """
    INSERT INTO provider_account (workspace_id, sid, created_at)
    SELECT DISTINCT workspace_id, account_sid, CAST($2 AS bigint) FROM sender WHERE account_sid = $1
    ON CONFLICT DO NOTHING
    """
)
_SHUT_OPEN: Final = Command(
    """
    UPDATE sender SET shut_at = $2, shut_because = $3
    WHERE account_sid = $1 AND removed_at IS NULL AND shut_at IS NULL RETURNING id
    """
)
_SHUT_OTHERWISE: Final = Command(
    "UPDATE sender SET shut_at = $4, shut_because = $3 WHERE account_sid = $1 AND shut_because = $2 RETURNING id"
)
_OPEN_SHUT_BECAUSE: Final = Command(
    """
    UPDATE sender SET shut_at = NULL, shut_because = NULL WHERE account_sid = $1 AND shut_because = $2 RETURNING id
    """
)


class BreakerState(StrEnum):
    """Whether an account's messages leave: all, none, or one at a time to see how it goes."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class ShutBecause(StrEnum):
    """Why a sender's outbox is shut."""

    START = "start"
    BREAKER = "breaker"
    RESTORE = "restore"


class Account(Struct, frozen=True, kw_only=True):
    """One provider account of a workspace."""

    workspace_id: str
    sid: str
    swept_at: datetime | None
    swept_to: datetime | None
    breaker: BreakerState
    breaker_at: datetime | None
    probe_at: datetime | None


async def add(tx: Writing, workspace_id: str, sid: str, now: datetime) -> None:
    """Keep a provider account; its credentials stay in the settings."""
    await tx.run(_ADD, workspace_id, sid, stored(now))


async def add_of_senders(tx: Writing, sid: str, now: datetime) -> None:
    """Keep an account for every workspace that sends from it."""
    await tx.run(_ADD_OF_SENDERS, sid, stored(now))


async def list_all(tx: Reading) -> list[Account]:
    """Every account of every workspace."""
    return [_account(row) for row in await tx.all(_LIST)]


async def lock(tx: Writing, sid: str) -> list[Account]:
    """An account, in each workspace that has it, held until the commit."""
    return [_account(row) for row in await tx.all(_LOCK, sid)]


async def set_breaker(tx: Writing, sid: str, state: BreakerState, now: datetime) -> None:
    """Move an account's breaker, the first probe due at once."""
    await tx.run(_SET_BREAKER, sid, state.value, stored(now))


async def set_probe(tx: Writing, sid: str, at: datetime) -> None:
    """When the next probe of an account may go."""
    await tx.run(_SET_PROBE, sid, stored(at))


async def lock_probe(tx: Writing, sid: str, now: datetime) -> bool:
    """Whether a probe of an account is due and ours to make; held until the commit."""
    return bool(await tx.all(_LOCK_PROBE, sid, stored(now)))


async def shut(tx: Writing, sid: str, because: ShutBecause, now: datetime) -> Sequence[str]:
    """Shut the outbox of every sender of an account; their ids."""
    return [row[0] for row in await tx.run(_SHUT, sid, stored(now), because.value)]


async def shut_all(tx: Writing, because: ShutBecause, now: datetime) -> Sequence[str]:
    """Shut the outbox of every sender; their ids."""
    return [row[0] for row in await tx.run(_SHUT_ALL, stored(now), because.value)]


async def shut_open(tx: Writing, sid: str, because: ShutBecause, now: datetime) -> Sequence[str]:
    """Shut the senders of an account that are open; those that were shut before stay so for their own reason."""
    return [row[0] for row in await tx.run(_SHUT_OPEN, sid, stored(now), because.value)]


async def shut_otherwise(tx: Writing, sid: str, was: ShutBecause, because: ShutBecause, now: datetime) -> Sequence[str]:
    """Keep senders shut that were so for one reason, for another one. Their ids."""
    return [row[0] for row in await tx.run(_SHUT_OTHERWISE, sid, was.value, because.value, stored(now))]


async def open_shut_because(tx: Writing, sid: str, because: ShutBecause) -> Sequence[str]:
    """Open the senders of an account that were shut for a reason; others stay shut. Their ids."""
    return [row[0] for row in await tx.run(_OPEN_SHUT_BECAUSE, sid, because.value)]


def _account(row: Row) -> Account:
    return Account(
        workspace_id=row[0],
        sid=row[1],
        swept_at=instant_or_none(row[2]),
        swept_to=instant_or_none(row[3]),
        breaker=BreakerState(row[4]),
        breaker_at=instant_or_none(row[5]),
        probe_at=instant_or_none(row[6]),
    )
