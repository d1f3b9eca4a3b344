"""The world outside: a provider, a model and a tool's server, which keep books of what they were asked and took.

Each process reaches them through a face of its own, so that it can be stopped before a request arrives and before its
answer does.
"""

import asyncio
import json
import re
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import OutcomeUnknown, Permanent, Transient, Unreachable
from overture.domain.message import as_listed
from overture.domain.ports import Accepted, MessagePage, Outgoing, ProviderMessage
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.turn import ModelAnswered, ModelRequest, ToolCall
from overture.store.engine import Store
from tests.property.machine.process import Process

SEND_FAULTS: Final = ("429", "500", "reset", "taken, then reset")
TOOL_FAULTS: Final = ("429", "done, then reset", "reset", "nobody there")
MODEL_FAULTS: Final = ("busy", "refuses")
MOST_SILENCES: Final = 4  # of the provider in one history: a fifth in a row opens the breaker, which a sweep must close
_CLIENT_SECONDS: Final = 8.0  # after so long a provider's client gives up, as the real one does
_LINE: Final = re.compile(r"(tell|book|look|person|bye) (\d+)")
_MARKERS: Final = {"person": " [[hand over: asked]]", "bye": " [[end: done]]"}
ANSWER: Final = re.compile(r"Re ([\d,]+)")


class Took(Struct, frozen=True, kw_only=True):
    """A message that the provider accepted."""

    message_id: str
    attempt: int
    sid: str
    to: str
    sender: str
    body: str
    at: datetime


class Books:
    """What the world has seen, and the faults that it has in store."""

    def __init__(self, store: Store) -> None:
        self.store: Final = store
        self.took: Final[list[Took]] = []
        self.booked: Final[Counter[tuple[str, str]]] = Counter()
        self.keys: Final[Counter[str]] = Counter()
        self.send_faults: Final[deque[str]] = deque()
        self.tool_faults: Final[deque[str]] = deque()
        self.model_faults: Final[deque[str]] = deque()
        self.silences = 0
        self._sids = 0

    def forget(self) -> None:
        """A new history begins."""
        for kept in (self.took, self.booked, self.keys, self.send_faults, self.tool_faults, self.model_faults):
            kept.clear()
        self.silences = 0

    def take(self, outgoing: Outgoing) -> Accepted:
        """Accept a message."""
        self._sids += 1
        sid = f"SM{self._sids:032x}"
        self.took.append(
            Took(
                message_id=outgoing.message_id,
                attempt=outgoing.attempt,
                sid=sid,
                to=outgoing.to,
                sender=outgoing.sender,
                body=as_listed(outgoing.body) or "",
                at=self.store.now(),
            )
        )
        return Accepted(sid=sid, status=DeliveryStatus.QUEUED, segments=1)


class ScriptedProvider:
    """A Provider as one process reaches it; without a process nothing stops it."""

    def __init__(self, books: Books, process: Process | None = None) -> None:
        self._books: Final = books
        self._process: Final = process

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take a message, or fail as told."""
        given_up_at = asyncio.get_running_loop().time() + _CLIENT_SECONDS
        await self._passes("post", given_up_at)
        fault = self._books.send_faults.popleft() if self._books.send_faults else ""
        if fault == "429":
            raise Transient("too_many_requests", "429", retry_after_seconds=1)
        if fault in ("500", "reset"):
            raise OutcomeUnknown("provider_failed", fault)
        accepted = self._books.take(outgoing)
        await self._passes("posted", given_up_at)
        if fault:
            raise OutcomeUnknown("connection_lost", fault)
        return accepted

    async def list_pages(
        self, account_sid: str, *, page_size: int, sender: str | None = None, to: str | None = None
    ) -> AsyncIterator[MessagePage]:
        """Everything on one page."""
        assert account_sid
        assert page_size
        found = [
            ProviderMessage(
                sid=one.sid,
                sender=one.sender,
                to=one.to,
                body=one.body,
                inbound=False,
                status=DeliveryStatus.SENT,
                created_at=one.at,
                account_sid=account_sid,
            )
            for one in reversed(self._books.took)
            if sender in (None, one.sender) and to in (None, one.to)
        ]
        yield MessagePage(messages=tuple(found), is_last=True)

    async def fetch(self, account_sid: str, sid: str) -> ProviderMessage | None:
        """Nobody asks for one alone here."""
        raise NotImplementedError(f"{account_sid}/{sid}")

    async def _passes(self, label: str, given_up_at: float) -> None:
        if self._process is None:
            return
        await self._process.passes(label)
        if asyncio.get_running_loop().time() > given_up_at:
            raise OutcomeUnknown("time_out", "The provider did not answer in time.")


class ScriptedModel:
    """A model that answers every line by its number, and does what the line says first."""

    def __init__(self, books: Books, process: Process) -> None:
        self._books: Final = books
        self._process: Final = process

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """An answer, or a failure as told."""
        assert timeout_seconds > 0
        await self._process.passes("model")
        fault = self._books.model_faults.popleft() if self._books.model_faults else ""
        if fault == "busy":
            raise Transient("model_busy", "429", retry_after_seconds=1)
        if fault == "refuses":
            raise Permanent("model_refused", "400")
        answer = answer_to(request)
        await self._process.passes("answered")
        return answer

    def endpoints(self) -> Sequence[str]:
        """One endpoint."""
        return ("default",)


class ScriptedTool:
    """The server behind the tools, as one process reaches it: it books a number, or looks one up."""

    def __init__(self, books: Books, process: Process) -> None:
        self._books: Final = books
        self._process: Final = process

    async def call(self, request: HttpRequest, *, timeout_seconds: float) -> HttpAnswer:
        """Do it, or fail as told."""
        assert timeout_seconds > 0
        await self._process.passes("tool")
        fault = self._books.tool_faults.popleft() if self._books.tool_faults else ""
        if fault == "429":
            return _answer(429)
        if fault == "nobody there":
            raise Unreachable("tool_unreachable", "Nobody listens.")
        if fault == "reset":
            raise OutcomeUnknown("tool_reset", fault)
        if request.method == "POST":
            booking = json.loads(request.body or "{}")
            self._books.booked[booking["conversation"], booking["line"]] += 1
            self._books.keys[request.headers["Idempotency-Key"]] += 1
        await self._process.passes("tooled")
        if fault:
            raise OutcomeUnknown("tool_reset", fault)
        return _answer(200)


def _answer(status: int) -> HttpAnswer:
    return HttpAnswer(status=status, content_type="application/json", body=b'{"ok": true}')


def answer_to(request: ModelRequest) -> ModelAnswered:
    """What the model says: calls for the lines that want one, then their numbers."""
    said = request.lines[-1].text if request.lines and request.lines[-1].role == "user" else ""
    wanted = _LINE.findall(said)
    made = {call.id for one in request.rounds for call in one.calls}
    if request.may_call:
        for kind, number in wanted:
            if kind in ("book", "look") and number not in made:
                call = ToolCall(id=number, name=kind, arguments=json.dumps({"line": number}))
                return ModelAnswered(text="", calls=(call,))
    markers = [_MARKERS[kind] for kind, _ in wanted if kind in _MARKERS]
    return ModelAnswered(text=f"Re {','.join(number for _, number in wanted)}.{''.join(markers[-1:])}")
