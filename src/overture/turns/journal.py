"""The journal of one turn: each step is written before it is taken and after, and what was done is not done again.

A turn that died is run again. Where its agent has tools or knowledge, what earlier attempts did is read first: a
model's answer to the very same request, what a search found and what a tool gave are taken from the journal; a call
that may have changed something, and of which nothing was written down after, is never made again. Looking is free of
harm, so a call that only looks is.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, Self

import msgspec
from msgspec import Struct

from overture.actions import intend_call
from overture.actions.reserve_model import Held, reserve_model, settle_model
from overture.agents import tools
from overture.domain.agent import Agent
from overture.domain.model_use import Prices, Use, reserved, used
from overture.domain.turn import ModelAnswered, ModelRequest, NeedSearch, NeedTool, Searched, ToolReturned
from overture.store import steps
from overture.store.conversations import Conversation
from overture.store.engine import Store, Writing
from overture.store.steps import NewStep, TakenStep

FRESH: Final = timedelta(minutes=5)  # how long an attempt goes on where another stopped: all tries of a turn take two

_read_answer: Final = msgspec.json.Decoder(ModelAnswered).decode
_read_need: Final = msgspec.json.Decoder(NeedTool).decode
_read_told: Final = msgspec.json.Decoder(ToolReturned).decode
_read_found: Final = msgspec.json.Decoder(Searched).decode


class LostError(Exception):
    """The turn is no longer ours; the text says why."""


class SpentError(Exception):
    """No budget has room for another answer of a model; the text says which."""


class Key(Struct, frozen=True, kw_only=True):
    """One attempt at a turn of a conversation."""

    claimed: Conversation
    agent: Agent
    turn_id: str
    started_at: datetime
    prices: Prices = {}


class Journal:
    """Writes steps down, and finds those that were taken.

    `began_at` is when the first attempt began that this one goes on from. `up_to` is the last line that attempt had
    heard, where it changed something: what is answered must be what the change was made for, and the lines that came
    since are a turn of their own. `has_changed` once that is so for this attempt or the one it goes on from.
    """

    def __init__(self, store: Store, key: Key, earlier: Sequence[TakenStep] | None) -> None:
        self._store: Final = store
        self._key: Final = key
        self._replays: Final = earlier is not None
        self._number = 0
        self._answers: Final[dict[str, ModelAnswered]] = {}
        self._found: Final[dict[str, Searched]] = {}
        self._done: Final[dict[str, ToolReturned]] = {}
        self._unsure: Final[set[str]] = set()
        self._stale: Final[set[str]] = set()
        self._held: Final[dict[int, Held]] = {}
        self.began_at = key.started_at
        self.up_to: int | None = None
        self.to_seq = key.claimed.in_seq
        self.has_changed = False
        same = [step for step in earlier or () if _answers_the_same(step, key.claimed)]
        changing = [step for step in same if _changed(step)]
        if changing:
            self.up_to, self.has_changed = min(step.to_seq for step in changing), True
        goes_on = [step for step in same if changing or step.turn_began_at >= key.started_at - FRESH]
        self.began_at = min((step.turn_began_at for step in goes_on), default=key.started_at)
        for step in earlier or ():
            self._remember(step, goes_on=step in goes_on)

    @classmethod
    async def open(cls, store: Store, key: Key, *, replays: bool) -> Self:
        """The journal of an attempt. Only with `replays` are earlier ones read, and is this one written to be found."""
        earlier = await store.read(lambda tx: steps.list_of_turn(tx, key.claimed)) if replays else None
        return cls(store, key, earlier)

    def _remember(self, step: TakenStep, *, goes_on: bool) -> None:
        match step.kind, step.state:
            case "model", "done" if goes_on and step.result is not None:
                self._answers[step.digest] = _read_answer(step.result)
            case "search", "done" if goes_on and step.result is not None:
                self._found[step.digest] = _read_found(step.result)
            case "tool", "done" if step.result is not None:
                self._done[step.digest] = _read_told(step.result)
                self._stale.update(() if goes_on else (step.digest,))
            case "tool", "started" | "unknown":
                self._unsure.add(step.digest)

    def find_answer(self, request: ModelRequest) -> ModelAnswered | None:
        """What a model answered to the very same request in this turn."""
        return self._answers.get(_digest(msgspec.json.encode(request))) if self._replays else None

    async def begin_model(self, request: ModelRequest) -> int:
        """Write down that a model is asked, and reserve what that may take; the step's number. Raises SpentError."""
        asked, key = msgspec.json.encode(request), self._key
        step = self._new("model", asked, _digest(asked) if self._replays else None)
        use = reserved(request, len(asked), key.prices.get(request.endpoint))
        held = await self._store.write(
            lambda tx: reserve_model(tx, key.claimed, key.agent, step, use, self._store.now())
        )
        if isinstance(held, str):
            raise SpentError(held)
        self._held[step.number] = held
        return step.number

    async def end_model(self, number: int, request: ModelRequest, answer: ModelAnswered) -> None:
        """Write down what a model answered."""
        if self._replays:
            self._answers[_digest(msgspec.json.encode(request))] = answer
        use = used(answer, self._held[number].use, self._key.prices.get(request.endpoint))
        await self._settle(number, "done", msgspec.json.encode(answer).decode(), use)

    async def fail_model(self, number: int, why: str, *, took_nothing: bool) -> None:
        """Write down that a model gave no answer; where it may have been at work, what was reserved stays taken."""
        await self._settle(number, "failed", why, Use() if took_nothing else None)

    async def _settle(self, number: int, state: str, result: str, use: Use | None) -> None:
        key, held, now = self._key, self._held.pop(number), self._store.now()

        async def write(tx: Writing) -> None:
            await steps.end(tx, key.turn_id, number, state=state, result=result, now=now)
            if use is not None:
                await settle_model(tx, key.claimed, key.turn_id, number, held=held, use=use)

        await self._store.write(write)

    def find_search(self, need: NeedSearch) -> Searched | None:
        """What the very same search found in this turn."""
        return self._found.get(_digest(msgspec.json.encode(need)))

    async def keep_search(self, need: NeedSearch, found: Searched) -> None:
        """Write down what a search found."""
        asked = msgspec.json.encode(need)
        step, now = self._new("search", asked, _digest(asked)), self._store.now()
        result = msgspec.json.encode(found).decode()

        async def keep(tx: Writing) -> None:
            await steps.begin(tx, self._key.claimed, step, now)
            await steps.end(tx, step.turn_id, step.number, state="done", result=result, now=now)

        await self._store.write(keep)
        self._found[_digest(asked)] = found

    def find_call(self, need: NeedTool) -> ToolReturned | None:
        """What came of the very same call in this turn; None where it is to be made."""
        digest = digest_of(need)
        if digest in self._done and (need.changes or digest not in self._stale):
            return self._done[digest]
        return tools.unknown(need.tool) if need.changes and digest in self._unsure else None

    async def begin_call(self, need: NeedTool) -> int:
        """Write down that a tool will be called; the step's number. Raises LostError where the turn is another's."""
        step = self._new("tool", msgspec.json.encode(need), digest_of(need))
        lost = await self._store.write(
            lambda tx: intend_call.intend_call(tx, self._key.claimed, step, self._store.now())
        )
        if lost is not None:
            raise LostError(lost)
        self._unsure.add(digest_of(need))
        return step.number

    async def end_call(self, number: int, need: NeedTool, told: ToolReturned) -> None:
        """Write down what came of a call."""
        digest = digest_of(need)
        if told.outcome == "done":
            self._done[digest] = told
            self._stale.discard(digest)
        if told.outcome != "unknown":
            self._unsure.discard(digest)
        if told.outcome != "failed":
            self.has_changed = self.has_changed or need.changes
        await self.end(number, told.outcome, msgspec.json.encode(told).decode())

    async def end(self, number: int, state: str, result: str) -> None:
        """Write down what a step came to."""
        turn_id, now = self._key.turn_id, self._store.now()
        await self._store.write(lambda tx: steps.end(tx, turn_id, number, state=state, result=result, now=now))

    def _new(self, kind: str, request: bytes, digest: str | None) -> NewStep:
        number, self._number = self._number, self._number + 1
        return NewStep(
            turn_id=self._key.turn_id,
            number=number,
            kind=kind,
            request=request.decode(),
            digest=digest,
            to_seq=None if digest is None else self.to_seq,
            turn_began_at=None if digest is None else self.began_at,
        )


def _answers_the_same(step: TakenStep, claimed: Conversation) -> bool:
    """Whether a step was taken for lines that still wait, or for an opening that was never committed."""
    return step.to_seq > claimed.handled_seq or step.to_seq == claimed.handled_seq == claimed.in_seq


def _changed(step: TakenStep) -> bool:
    return step.kind == "tool" and step.state != "failed" and _read_need(step.request).changes


def digest_of(need: NeedTool) -> str:
    """What tells one call from another: the tool, and all that would be sent."""
    return _digest(msgspec.json.encode((need.tool, need.request)))


def _digest(text: bytes) -> str:
    return sha256(text).hexdigest()
