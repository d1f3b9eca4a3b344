"""Handset for tests that are no coroutines: it runs in a thread of its own, and its methods wait for their answers."""

import asyncio
import contextlib
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from datetime import datetime
from typing import Any, Final, TypeVar

from handset import config as configs
from handset.testing import Json, RunningHandset, running

T = TypeVar("T")

START_SECONDS: Final = 20.0  # it takes a fraction of one; a machine that is busy is no reason to give up


class BlockingHandset:
    """A running Handset. What each method does is told by its namesake of `handset.testing.RunningHandset`."""

    def __init__(self, running: RunningHandset, loop: asyncio.AbstractEventLoop) -> None:
        self._running = running
        self._loop = loop
        self.base_url: Final = running.base_url
        self.config: Final = running.config
        self.account_sid: Final = running.account_sid
        self.auth_token: Final = running.auth_token

    def types(self, phone: str, to: str, body: str, *, fields: dict[str, str] | None = None, **beside: Any) -> str:
        """Type a message on a handset; the SID of what was typed."""
        return self._wait(self._running.types(phone, to, body, fields=fields, **beside))

    def sends_file(self, phone: str, to: str, content: bytes, content_type: str, *, body: str = "") -> str:
        """Send a file from a handset; the SID of the message."""
        return self._wait(self._running.sends_file(phone, to, content, content_type, body=body))

    def taps(self, sid: str, choice: str) -> str:
        """Tap a button or a row of a message, by its id or its title; the SID of what that says."""
        return self._wait(self._running.taps(sid, choice))

    def reacts(self, sid: str, emoji: str, *, tell: bool = False) -> None:
        """React to a message on a handset."""
        self._wait(self._running.reacts(sid, emoji, tell=tell))

    def decides(self, sid: str, approval: str, **decision: str) -> Json:
        """Move the approval of a template."""
        return self._wait(self._running.decides(sid, approval, **decision))

    def recalls(self, *past: Json) -> list[str]:
        """Put messages from before into the list; their SIDs."""
        return self._wait(self._running.recalls(*past))

    def puts_phone(self, address: str, **identity: Any) -> Json:
        """Add a phone, or give one another name and identity."""
        return self._wait(self._running.puts_phone(address, **identity))

    def posts(self, **form: str) -> Json:
        """Send a message through the REST API; what Twilio's API answers."""
        return self._wait(self._running.posts(**form))

    def messages(self, address: str | None = None) -> list[Json]:
        """Messages to and from an address (None: all), oldest first."""
        return self._wait(self._running.messages(address))

    def received_by(self, phone: str) -> list[str]:
        """The texts that reached a handset, oldest first."""
        return self._wait(self._running.received_by(phone))

    def wait_for_status(self, sid: str, status: str, timeout: float = 5.0) -> Json:
        """Wait until a message has that status, and give it."""
        return self._wait(self._running.wait_for_status(sid, status, timeout))

    def webhooks(self) -> list[Json]:
        """Every webhook, oldest first."""
        return self._wait(self._running.webhooks())

    def phones(self) -> list[Json]:
        """Every handset."""
        return self._wait(self._running.phones())

    def opts_in(self, phone: str, to: str) -> None:
        """Lift the block between a phone and a sender."""
        self._wait(self._running.opts_in(phone, to))

    def forgets(self) -> None:
        """Forget messages, webhooks, windows and opt-outs."""
        self._wait(self._running.forgets())

    def faults(self, *rules: Json | str) -> list[str]:
        """Let these rules stand; their ids."""
        return self._wait(self._running.faults(*rules))

    def standing_faults(self) -> list[Json]:
        """The rules that stand."""
        return self._wait(self._running.standing_faults())

    def lift_faults(self, *ids: str) -> None:
        """End these rules; all of them if none is named."""
        self._wait(self._running.lift_faults(*ids))

    def acts(self, kind: str | None = None) -> list[Json]:
        """Every fault that acted."""
        return self._wait(self._running.acts(kind))

    def clock(self) -> Json:
        """The clock's `now`, and its line."""
        return self._wait(self._running.clock())

    def sets_clock(self, at: datetime | None = None, *, real_at: datetime | None = None, rate: float = 1.0) -> Json:
        """Let the clock show another time, at another pace."""
        return self._wait(self._running.sets_clock(at, real_at=real_at, rate=rate))

    def advances(self, seconds: float) -> Json:
        """Let the clock jump ahead."""
        return self._wait(self._running.advances(seconds))

    def waits_for_text(self, phone: str, *, text: str, seen: set[str], within: float) -> Json | None:
        """The oldest message with that text that reached the phone and whose SID is not among the `seen` ones.

        None if there is none within so many seconds.
        """
        reached = {"sent", "delivered", "read"}

        async def found() -> Json | None:
            arrived = [m for m in await self._running.messages(phone) if m["to"] == phone and m["status"] in reached]
            return next((m for m in arrived if text in m["body"] and m["sid"] not in seen), None)

        try:
            message: Json = self._wait(self._running.wait_for(found, within))
        except TimeoutError:
            return None
        return message

    def _wait(self, asked: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(asked, self._loop).result()


@contextlib.contextmanager
def running_in_a_thread(config: configs.Config | Json | None = None, *, port: int = 0) -> Iterator[BlockingHandset]:
    """A Handset in a thread of its own, on a free loopback port, until the block ends."""
    started: Future[BlockingHandset] = Future()
    stop: Future[None] = Future()

    async def live() -> None:
        async with running(config, port=port) as handset:
            started.set_result(BlockingHandset(handset, asyncio.get_running_loop()))
            await asyncio.wrap_future(stop)

    def run() -> None:
        try:
            asyncio.run(live())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="handset", daemon=True)
    thread.start()
    try:
        yield started.result(START_SECONDS)
    finally:
        stop.set_result(None)
        thread.join(START_SECONDS)
