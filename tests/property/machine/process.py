"""A worker process that can be stopped at a named point, frozen, thawed and killed.

It runs the real roads; only its way to the database and to its peers leads past gates. A frozen process reaches
neither, as one that the system has stopped; a killed one never again, and its tasks are cancelled where they stand.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, Final, TypeVar

from overture.domain.errors import Unavailable
from overture.store.engine import Reading, Store, Writing
from tests.property.machine.clockwork import Busy

T = TypeVar("T")

_OWNER: Final[ContextVar["Process | None"]] = ContextVar("owner", default=None)
_WRITES: Final = {
    "TurnRoad.look": "claim",
    "Journal.begin_model": "ask",
    "Journal.begin_call": "intend",
    "Journal.end": "note",
    "Journal.fail_model": "note",
    "Journal.end_model": "note",
    "Batch._commit": "commit",
    "_Turn._commit": "commit",
    "_Turn._renew": "renew",
}
TURN_LABELS: Final = (
    *("after claim", "before ask", "model", "answered", "before intend", "after intend", "tool", "tooled"),
    *("before note", "before commit", "after commit"),
)
SENDER_LABELS: Final = ("after claims", "post", "posted", "before outcomes", "after outcomes")


def register(loop: asyncio.AbstractEventLoop) -> None:
    """Let every task that a process begins be known as its own."""

    def make(loop: asyncio.AbstractEventLoop, coroutine: Any, **given: Any) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **given)
        owner = _OWNER.get()
        if owner is not None:
            owner.own(task)
        return task

    loop.set_task_factory(make)


class Process:
    """One worker. `look` is what it does when it is let run; `told` hears of every write that came back."""

    def __init__(self, name: str, *, busy: Busy, told: Callable[["Process", str, Any, Any], None]) -> None:
        self.name: Final = name
        self.busy: Final = busy
        self.look: Callable[[], Awaitable[Any]] | None = None
        self.frozen = False
        self.dead = False
        self.reached: Final[set[str]] = set()
        self._told: Final = told
        self._stop: str | None = None
        self._held: list[asyncio.Future[None]] = []
        self._tasks: Final[set[asyncio.Task[Any]]] = set()

    @property
    def is_working(self) -> bool:
        """Whether anything of it is under way."""
        return bool(self._tasks)

    def own(self, task: "asyncio.Task[Any]") -> None:
        """Remember a task that it began."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def passes(self, label: str) -> None:
        """A point that the process comes by, and stops at where it was told to."""
        self.reached.add(label)
        if label == self._stop:
            await self._hold()
        while self.frozen:
            await self._hold()

    async def _hold(self) -> None:
        gate = asyncio.get_running_loop().create_future()
        self._held.append(gate)
        await gate

    async def runs(self, until: str | None = None) -> None:
        """Go on up to a label, or to where nothing is left to do; look for work where nothing was under way."""
        if self.frozen or self.dead:
            return
        self._stop = until
        held, self._held = self._held, []
        for gate in held:
            if not gate.done():
                gate.set_result(None)
        if not held and not self._tasks and self.look is not None:
            token = _OWNER.set(self)
            asyncio.get_running_loop().create_task(self._looks(self.look))
            _OWNER.reset(token)
        await self.busy.settles()

    async def _looks(self, look: Callable[[], Awaitable[Any]]) -> None:
        try:
            await look()
        except Unavailable:
            if not self.dead:
                raise

    async def thaws(self, until: str | None = None) -> None:
        """Wake up from being frozen, none the wiser."""
        self.frozen = False
        await self.runs(until)

    async def dies(self) -> None:
        """Stop for good, wherever it stands."""
        self.dead, self.frozen = True, False
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            await self.busy.settles()

    def hears(self, label: str, work: Any, result: Any) -> None:
        """A write came back, whether or not the process lives to know."""
        self._told(self, label, work, result)


class Face:
    """The database as one process reaches it. `name` names its writes where their maker does not."""

    def __init__(self, store: Store, process: Process, name: str | None = None) -> None:
        self._store: Final = store
        self._process: Final = process
        self._name: Final = name

    @property
    def writers(self) -> int:
        return self._store.writers

    async def open(self) -> None:
        """Opened already, for all."""

    async def close(self) -> None:
        """Closed by whoever opened it."""

    def now(self) -> datetime:
        return self._store.now()

    async def read(self, work: Callable[[Reading], Awaitable[T]]) -> T:
        """Read, once the process is awake."""
        await self._process.passes("read")
        self._lives()
        return await self._process.busy.waits_for(self._store.read(work))

    async def write(self, work: Callable[[Writing], Awaitable[T]]) -> T:
        """Write, past a gate before the transaction and one after its commit."""
        label = self._name or label_of(work)
        await self._process.passes(f"before {label}")
        self._lives()
        result = await self._process.busy.waits_for(self._store.write(work))
        self._process.hears(label, work, result)
        await self._process.passes(f"after {label}")
        return result

    def _lives(self) -> None:
        if self._process.dead:
            raise Unavailable("killed", "The process is dead.")


def label_of(work: Callable[[Writing], Awaitable[Any]]) -> str:
    """What a write of the turn road is, by where it is made."""
    made_by = work.__qualname__.split(".<locals>")[0]
    return _WRITES.get(made_by, made_by)
