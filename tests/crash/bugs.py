"""Bugs on purpose: the two policies that look right and are not. The harness must find each of them.

A server that dies between the request and its answer leaves a claim behind. What a restart makes of that claim is the
whole difference: sending again at once sends twice, believing that it was sent loses it.
"""

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Final, TypeVar

from overture.store.engine import Reading, Store, Writing, stored
from overture.store.statement import Command

T = TypeVar("T")

SEND_THEN_MARK: Final = "send, then mark"
MARK_THEN_SEND: Final = "mark, then send"
BUGS: Final = (SEND_THEN_MARK, MARK_THEN_SEND)

_SEND_AGAIN: Final = Command("UPDATE outbox SET state = 'queued', due_at = $1 WHERE state IN ('sending', 'uncertain')")
_BELIEVE_SENT: Final = Command("DELETE FROM outbox WHERE state IN ('sending', 'uncertain')")


class _Buggy:
    """A store that, whenever it is opened, settles what was claimed by a policy instead of finding out."""

    def __init__(self, bug: str, store: Store) -> None:
        self._bug = bug
        self._store = store

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        await self._store.open()
        await self._store.write(self._settle)

    async def close(self) -> None:
        await self._store.close()

    def now(self) -> datetime:
        return self._store.now()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        return await self._store.read(work)

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        return await self._store.write(work)

    async def _settle(self, tx: Writing) -> None:
        if self._bug == SEND_THEN_MARK:
            await tx.run(_SEND_AGAIN, stored(self.now()))
        else:
            await tx.run(_BELIEVE_SENT)


def with_bug(bug: str, store: Store) -> Store:
    """The store with one of BUGS in it."""
    if bug not in BUGS:
        raise ValueError(f"{bug!r} is none of the bugs: {', '.join(BUGS)}")
    return _Buggy(bug, store)
