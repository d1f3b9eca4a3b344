"""The templates' road: every hour all of an account's, and in between the one that a call names and nobody knows.

A call waits two seconds at most, all calls for one template for the same fetch. Where the Content API does not answer
the call goes on without: the send itself will tell. After a failure its account is left alone for a while, so that an
API that hangs slows one call down and not every one.
"""

import asyncio
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Final, TypeVar

import msgspec

from overture import log
from overture.actions.save_templates import Refreshed, save_template, save_templates
from overture.domain.channel import Channel
from overture.domain.errors import Failure, Transient, Unavailable
from overture.domain.ports import TemplateSource
from overture.domain.sending import Start
from overture.domain.template import FRESH, Known, Template
from overture.store import agents, senders, templates
from overture.store.engine import Reading, Store
from overture.store.templates import Key

_K = TypeVar("_K")
_Found = TypeVar("_Found")

ROAD: Final = "templates"
EVERY: Final = timedelta(hours=1)
_AGAIN: Final = timedelta(minutes=5)  # after a list that could not be read
_CALL_SECONDS: Final = 2.0
_REFRESH_SECONDS: Final = 60.0  # forty pages of an API that answers take half of it
_LEFT_ALONE: Final = timedelta(seconds=15)
_MISSING_FOR: Final = timedelta(seconds=10)  # a template that was not there a moment ago is not asked for by each call
_FETCHED_FOR: Final = timedelta(seconds=5)  # who looked before a fetch was on disk has its outcome as well
_MOST_FLIGHTS: Final = 32
_MOST_REMEMBERED: Final = 10_000

_log: Final = log.get(__name__)


class TemplateRoad:
    """Fetches templates. `look` is the clock's part, the rest the doors'."""

    def __init__(self, *, store: Store, source: TemplateSource) -> None:
        self._store: Final = store
        self._source: Final = source
        self._look_at: datetime | None = None
        self._flights: Final[dict[Key, asyncio.Task[Template | None]]] = {}
        self._refreshes: Final[dict[tuple[str, str], asyncio.Task[Refreshed]]] = {}
        self._left_alone: Final[dict[str, datetime]] = {}
        self._missing: Final[dict[Key, datetime]] = {}
        self._fetched: Final[dict[Key, datetime]] = {}
        self._sound: Final[dict[tuple[str, str, str], datetime]] = {}
        self._told: Final[set[str]] = set()

    async def look(self) -> float | None:
        """Fetch the templates of the accounts that are due."""
        now = self._store.now()
        if self._look_at is not None and now < self._look_at:
            return None
        due = await self._store.write(lambda tx: templates.claim_due(tx, now, now + EVERY))
        self._look_at = now + timedelta(minutes=1)
        for key in due:
            await self._refresh(*key)
        return None

    async def refresh(self, workspace_id: str) -> list[Refreshed]:
        """Fetch all templates of a workspace's accounts now; an account that cannot be read says why."""
        accounts = await self._store.read(lambda tx: templates.list_accounts(tx, workspace_id))
        return [await self._refresh(workspace_id, account_sid) for account_sid in accounts]

    async def look_up(self, start: Start) -> Start:
        """A call whose template has been fetched where it was not known, or may have been approved since.

        Where the call gives neither text nor template, it is the one with which its agent opens.
        """
        content_sid = await self._opens_with(start)
        if content_sid is None:
            return start
        now = self._store.now()
        remembered = (start.workspace_id, f"{start.channel} {start.from_number}", content_sid)
        if _is_within(self._sound, remembered, now):
            return start
        key, known = await self._store.read(lambda tx: _find(tx, start, content_sid))
        if key is None:
            return start
        if known is not None and not known.is_worth_asking_again(now):
            _remember(self._sound, remembered, now + FRESH)
            return start
        is_missing = await self._ask(key, now) and known is None
        return msgspec.structs.replace(start, is_template_missing=True) if is_missing else start

    async def _opens_with(self, start: Start) -> str | None:
        if start.template is not None:
            return start.template.content_sid
        if start.text is not None or start.channel is not Channel.WHATSAPP:
            return None
        key = (start.workspace_id, start.agent_id)
        agent = (await self._store.read(lambda tx: agents.find_current(tx, [key]))).get(key)
        own = None if agent is None else agent.spec.opening_template
        return None if own is None else own.content_sid

    async def _ask(self, key: Key, now: datetime) -> bool:
        """Whether the provider says that there is no such template; where it says nothing, False."""
        if _is_within(self._missing, key, now):
            return True
        if _is_within(self._left_alone, key[1], now) or _is_within(self._fetched, key, now):
            return False
        flight = self._flights.get(key)
        if flight is None:
            if len(self._flights) >= _MOST_FLIGHTS:
                return False
            flight = _take_off(self._flights, key, self._fetch(key, now))
        try:
            found = await asyncio.shield(flight)
        except Unavailable:
            raise  # our own database: the call cannot go on either
        except Failure as failure:
            self._leave_alone(key[1], failure, now)
            return False
        return found is None

    async def _fetch(self, key: Key, now: datetime) -> Template | None:
        workspace_id, account_sid, content_sid = key
        try:
            async with asyncio.timeout(_CALL_SECONDS):
                found = await self._source.fetch_template(account_sid, content_sid)
        except TimeoutError:
            raise _no_answer() from None
        if found is None:
            _remember(self._missing, key, now + _MISSING_FOR)
        await self._store.write(
            lambda tx: save_template(
                tx,
                workspace_id=workspace_id,
                account_sid=account_sid,
                content_sid=content_sid,
                found=found,
                asked_at=now,
            )
        )
        if found is not None:
            _remember(self._fetched, key, now + _FETCHED_FOR)
        _log.info("template_fetched", account_sid=account_sid, content_sid=content_sid, is_there=found is not None)
        return found

    async def _refresh(self, workspace_id: str, account_sid: str) -> Refreshed:
        """What a refresh came to; who asks while one is under way has that one's."""
        key = (workspace_id, account_sid)
        flight = self._refreshes.get(key)
        if flight is None:
            flight = _take_off(self._refreshes, key, self._fetch_all(*key))
        return await asyncio.shield(flight)

    async def _fetch_all(self, workspace_id: str, account_sid: str) -> Refreshed:
        asked_at = self._store.now()
        try:
            async with asyncio.timeout(_REFRESH_SECONDS):
                found = await self._source.list_templates(account_sid)
        except TimeoutError:
            return await self._note(workspace_id, account_sid, _no_answer(), asked_at)
        except Failure as failure:
            return await self._note(workspace_id, account_sid, failure, asked_at)
        self._told.discard(account_sid)
        self._left_alone.pop(account_sid, None)
        self._missing.clear()
        self._sound.clear()
        refreshed = await self._store.write(
            lambda tx: save_templates(
                tx, workspace_id=workspace_id, account_sid=account_sid, found=found, asked_at=asked_at
            )
        )
        _log.info("templates_fetched", account_sid=account_sid, templates=refreshed.templates, gone=refreshed.gone)
        return refreshed

    async def _note(self, workspace_id: str, account_sid: str, failure: Failure, now: datetime) -> Refreshed:
        """Try again sooner than in an hour; the first failure of a row is told in the log."""
        self._tell(account_sid, failure)
        await self._store.write(lambda tx: templates.set_due(tx, workspace_id, account_sid, now + _AGAIN))
        return Refreshed(account_sid=account_sid, code=failure.code, why=failure.description)

    def _leave_alone(self, account_sid: str, failure: Failure, now: datetime) -> None:
        pause = timedelta(seconds=failure.retry_after_seconds or 0) if isinstance(failure, Transient) else timedelta()
        self._left_alone[account_sid] = now + max(pause, _LEFT_ALONE)
        self._tell(account_sid, failure)

    def _tell(self, account_sid: str, failure: Failure) -> None:
        if account_sid not in self._told:
            self._told.add(account_sid)
            _log.warning("templates_unread", account_sid=account_sid, code=failure.code, why=failure.description)


async def _find(tx: Reading, start: Start, content_sid: str) -> tuple[Key | None, Known | None]:
    """Where a call's template is looked up, and what is known of it; no key where its sender is none of ours."""
    asked = start.workspace_id, start.from_number
    sender = (await senders.find_by_number(tx, [asked])).get(asked, {}).get(start.channel)
    if sender is None:
        return None, None
    key = (start.workspace_id, sender.account_sid, content_sid)
    return key, (await templates.find(tx, [key])).get(key)


def _take_off(
    flights: dict[_K, asyncio.Task[_Found]], key: _K, work: Coroutine[None, None, _Found]
) -> asyncio.Task[_Found]:
    """Begin what several may wait for; who waits may go, it comes to its end."""
    flight = flights[key] = asyncio.get_running_loop().create_task(work)

    def land(done: asyncio.Task[_Found]) -> None:
        flights.pop(key, None)
        if not done.cancelled():
            done.exception()  # seen, whether or not anybody still waits for it

    flight.add_done_callback(land)
    return flight


def _is_within(until: dict[_K, datetime], key: _K, now: datetime) -> bool:
    at = until.get(key)
    return at is not None and now < at


def _remember(until: dict[_K, datetime], key: _K, at: datetime) -> None:
    if len(until) >= _MOST_REMEMBERED:
        until.clear()
    until[key] = at


def _no_answer() -> Transient:
    return Transient("twilio_no_answer", "The provider did not answer.")
