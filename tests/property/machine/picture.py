"""What is on disk at one moment, as far as the invariants speak of it."""

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from overture.store.engine import Reading, Store
from overture.store.statement import Query, Row

_CONVERSATIONS: Final = Query(
    """
    SELECT id, mode, end_reason, epoch, fence, last_seq, in_seq, handled_seq, turns, turn_due_at, taken_at,
        last_activity_at, mode_note, previous_conversation_id
    FROM conversation ORDER BY created_at, id
    """
)
_MESSAGES: Final = Query(
    """
    SELECT id, conversation_id, seq, direction, author, body, turn_id, status, provider_sid, reason
    FROM message ORDER BY conversation_id, seq
    """
)
_TURNS: Final = Query(
    """
    SELECT id, conversation_id, trigger, from_seq, to_seq, epoch, fence, redrafts, outcome, note
    FROM turn ORDER BY conversation_id, fence
    """
)
_OUTBOX: Final = Query("SELECT message_id, conversation_id, seq, epoch, state, attempt, resent FROM outbox")
_STEPS: Final = Query(
    "SELECT turn_id, number, conversation_id, kind, state, request, result, after_turns, digest FROM step"
)
_EVENTS: Final = Query("SELECT id, conversation_id, kind, data FROM event ORDER BY id")
_INBOX: Final = Query("SELECT count(*) FROM inbox WHERE state = 'new'")


class Held(Struct, frozen=True):
    """A conversation."""

    id: str
    mode: str
    end_reason: str | None
    epoch: int
    fence: int
    last_seq: int
    in_seq: int
    handled_seq: int
    turns: int
    turn_due_at: int | None
    taken_at: int | None
    last_activity_at: int
    mode_note: str | None
    previous: str | None


class Line(Struct, frozen=True):
    """A message."""

    id: str
    conversation_id: str
    seq: int
    direction: str
    author: str
    text: str
    turn_id: str | None
    status: str | None
    provider_sid: str | None
    reason: str | None


class Turned(Struct, frozen=True):
    """A turn that was committed."""

    id: str
    conversation_id: str
    trigger: str
    from_seq: int
    to_seq: int
    epoch: int
    fence: int
    redrafts: int
    outcome: str
    note: str | None


class Waiting(Struct, frozen=True):
    """A row of the outbox."""

    message_id: str
    conversation_id: str
    seq: int
    epoch: int
    state: str
    attempt: int
    resent: bool


class Step(Struct, frozen=True):
    """A step of the journal."""

    turn_id: str
    number: int
    conversation_id: str
    kind: str
    state: str
    request: str
    result: str | None
    after_turns: int
    digest: str | None


class Told(Struct, frozen=True):
    """An event."""

    id: str
    conversation_id: str | None
    kind: str
    data: str


class Picture(Struct, frozen=True, kw_only=True):
    """All of it."""

    conversations: dict[str, Held] = {}
    lines: tuple[Line, ...] = ()
    turns: tuple[Turned, ...] = ()
    outbox: tuple[Waiting, ...] = ()
    steps: tuple[Step, ...] = ()
    events: tuple[Told, ...] = ()
    unread: int = 0

    def lines_of(self, conversation_id: str) -> list[Line]:
        """A conversation's messages, in order."""
        return [line for line in self.lines if line.conversation_id == conversation_id]

    def turns_of(self, conversation_id: str) -> list[Turned]:
        """A conversation's turns, in order."""
        return [turn for turn in self.turns if turn.conversation_id == conversation_id]


async def take(store: Store) -> Picture:
    """What is on disk now."""

    async def read(tx: Reading) -> Picture:
        unread = await tx.one(_INBOX)
        return Picture(
            conversations={row[0]: Held(*row) for row in await tx.all(_CONVERSATIONS)},
            lines=tuple(_line(row) for row in await tx.all(_MESSAGES)),
            turns=tuple(Turned(*row) for row in await tx.all(_TURNS)),
            outbox=tuple(Waiting(*row) for row in await tx.all(_OUTBOX)),
            steps=tuple(Step(*row) for row in await tx.all(_STEPS)),
            events=tuple(Told(*row) for row in await tx.all(_EVENTS)),
            unread=0 if unread is None else int(unread[0]),
        )

    return await store.read(read)


def _line(row: Row) -> Line:
    kept = Line(*row)
    return replace(kept, text=str(msgspec.json.decode(kept.text).get("text", "")))
