"""Group commit: the ordinary way to write on the hot roads.

Asks that wait together are decided in one transaction and committed once; then each is answered. There is no linger:
a batch leaves as soon as a writer is free, so a lone ask is as quick as it can be. A refusal is an answer. When a
batch fails for a reason of its own (a deadlock, a row that no column takes), its asks are run one by one, so that a
poisonous one harms no neighbour.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final, Generic, TypeAlias, TypeVar

from overture.domain.errors import Unavailable
from overture.domain.ports import Ids
from overture.store.engine import Store, Writing

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")

Action: TypeAlias = Callable[[Writing, Sequence[Ask], datetime, Ids], Awaitable[Sequence[Answer]]]

_LIMIT: Final = 128  # asks of one commit: the gain of a larger batch is under a tenth, its latency is not


class Batch(Generic[Ask, Answer]):
    """Collects asks of one action and commits them together.

    `after` is called once a batch is on disk, with its answers: the place to wake who waits for the work.
    """

    def __init__(
        self,
        store: Store,
        action: Action[Ask, Answer],
        ids: Ids,
        *,
        after: Callable[[Sequence[Answer]], None] | None = None,
        limit: int = _LIMIT,
    ) -> None:
        self._store: Final = store
        self._action: Final = action
        self._ids: Final = ids
        self._after: Final = after
        self._limit: Final = limit
        self._waiting: Final[deque[tuple[Ask, asyncio.Future[Answer]]]] = deque()
        self._drains: Final[set[asyncio.Task[None]]] = set()
        self._draining = 0

    def submit(self, ask: Ask) -> "asyncio.Future[Answer]":
        """The answer to one ask, once it is on disk. Raises Unavailable when the database is away."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((ask, future))
        if self._draining < self._store.writers and self._is_worth_a_batch(beside=self._draining):
            self._start_drain()
        return future

    async def settle(self) -> None:
        """Return when everything submitted so far has been answered."""
        while self._drains:
            await asyncio.wait(set(self._drains))

    def _is_worth_a_batch(self, *, beside: int) -> bool:
        """Whether what waits should leave now, with so many batches under way: beside one, a handful waits for it."""
        return not beside or len(self._waiting) >= self._limit // 4

    def _start_drain(self) -> None:
        self._draining += 1
        task = asyncio.get_running_loop().create_task(self._drain())
        self._drains.add(task)
        task.add_done_callback(self._drains.discard)

    async def _drain(self) -> None:
        try:
            while self._waiting and self._is_worth_a_batch(beside=self._draining - 1):
                batch = [self._waiting.popleft() for _ in range(min(self._limit, len(self._waiting)))]
                await self._commit(batch)
        finally:
            self._draining -= 1  # in the same step that found nothing waiting, so that the next ask starts a drain
            if self._waiting and not self._draining:
                self._start_drain()  # a listener broke this one: who waits behind it must not wait for ever

    async def _commit(self, batch: list[tuple[Ask, "asyncio.Future[Answer]"]]) -> None:
        asks = [ask for ask, _ in batch]
        try:
            answers = await self._store.write(lambda tx: self._action(tx, asks, self._store.now(), self._ids))
        except Unavailable as away:
            _fail(batch, away)
        except Exception as wrong:  # noqa: BLE001 - the failure is handed to whoever asked
            if len(batch) == 1:
                _fail(batch, wrong)
            else:
                for single in batch:
                    await self._commit([single])
        else:
            if len(answers) != len(batch):
                _fail(batch, RuntimeError(f"{len(batch)} asks got {len(answers)} answers"))
                return
            for (_, future), answer in zip(batch, answers, strict=True):
                if not future.done():
                    future.set_result(answer)
            if self._after is not None:
                self._after(answers)


def _fail(batch: list[tuple[Ask, "asyncio.Future[Answer]"]], wrong: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(wrong)
