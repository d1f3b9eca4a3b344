"""Stored steps: the journal of what a turn asked of models and tools, written before and after.

A turn that died is run again under another claim, with a turn id of its own. What was done before is found by the
conversation and by how many of its turns were committed, which the attempts of one turn have in common.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.store.conversations import Conversation
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query

_BEGIN: Final = Command(
    """
    INSERT INTO step (turn_id, number, shard, workspace_id, conversation_id, kind, state, request, started_at,
                      after_turns, to_seq, turn_began_at, digest)
    VALUES ($1, $2, $3, $4, $5, $6, 'started', $7, $8, $9, $10, $11, $12)
    """
)
_END: Final = Command("UPDATE step SET state = $3, result = $4, finished_at = $5 WHERE turn_id = $1 AND number = $2")
_LIST: Final = Query(
    """
    SELECT kind, state, request, result, to_seq, turn_began_at, digest FROM step
    WHERE workspace_id = $1 AND conversation_id = $2 AND after_turns = $3 AND digest IS NOT NULL
    ORDER BY started_at, turn_id, number
    """
)

_LIST_OF_CONVERSATION: Final = Query(
    """
    SELECT kind, request, result, started_at, finished_at FROM step
    WHERE workspace_id = $1 AND conversation_id = $2 ORDER BY started_at DESC, turn_id DESC, number DESC LIMIT $3
    """
)


class NewStep(Struct, frozen=True, kw_only=True):
    """A step that is about to be taken. With a `digest` of what it asks for it can be found again and replayed."""

    turn_id: str
    number: int
    kind: str
    request: str
    digest: str | None = None
    to_seq: int | None = None
    turn_began_at: datetime | None = None


class TakenStep(Struct, frozen=True, kw_only=True):
    """A step that was taken: `state` is started (nobody knows what came of it), done, failed or unknown."""

    kind: str
    state: str
    request: str
    result: str | None
    to_seq: int
    turn_began_at: datetime
    digest: str


class KeptStep(Struct, frozen=True, kw_only=True):
    """A step as it stands in the journal; without a result where nobody wrote down what came of it."""

    kind: str
    request: str
    result: str | None
    started_at: datetime
    finished_at: datetime | None


async def begin(tx: Writing, claimed: Conversation, step: NewStep, now: datetime) -> None:
    """Record a step before it is taken."""
    await tx.run(
        _BEGIN,
        step.turn_id,
        step.number,
        claimed.shard,
        claimed.workspace_id,
        claimed.id,
        step.kind,
        step.request,
        stored(now),
        claimed.turns,
        step.to_seq,
        stored_or_none(step.turn_began_at),
        step.digest,
    )


async def end(tx: Writing, turn_id: str, number: int, *, state: str, result: str, now: datetime) -> None:
    """Record what a step came to."""
    await tx.run(_END, turn_id, number, state, result, stored(now))


async def list_of_turn(tx: Reading, claimed: Conversation) -> list[TakenStep]:
    """What was done of the turn that a conversation is claimed for, in earlier attempts at it, oldest first."""
    return [
        TakenStep(
            kind=row[0],
            state=row[1],
            request=row[2],
            result=row[3],
            to_seq=row[4],
            turn_began_at=instant(row[5]),
            digest=row[6],
        )
        for row in await tx.all(_LIST, claimed.workspace_id, claimed.id, claimed.turns)
    ]


async def list_of_conversation(tx: Reading, workspace_id: str, conversation_id: str, most: int) -> list[KeptStep]:
    """The last steps of a conversation, oldest first."""
    rows = await tx.all(_LIST_OF_CONVERSATION, workspace_id, conversation_id, most)
    return [
        KeptStep(
            kind=row[0],
            request=row[1],
            result=row[2],
            started_at=instant(row[3]),
            finished_at=instant_or_none(row[4]),
        )
        for row in reversed(rows)
    ]
