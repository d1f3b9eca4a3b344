"""Stored hand-overs: a conversation that goes from its agent to people, whatever the agent was about to do."""

from collections.abc import Sequence
from typing import Final

from overture.store.engine import Writing
from overture.store.statement import RowsCommand

_HAND_OVER: Final = RowsCommand(
    {"workspace_id": "text", "id": "text", "note": "text"},
    """
    UPDATE conversation SET mode = 'human', mode_note = rows.note, epoch = conversation.epoch + 1,
        fence = conversation.fence + 1, turn_leased = FALSE, turn_due_at = NULL, reply_due_at = NULL,
        first_pending_at = NULL, handled_seq = conversation.in_seq
    FROM rows
    WHERE conversation.workspace_id = rows.workspace_id AND conversation.id = rows.id AND conversation.mode = 'bot'
    RETURNING conversation.workspace_id, conversation.id, conversation.thread_id, conversation.epoch
    """,
)


async def hand_over(tx: Writing, which: Sequence[tuple[str, str, str]]) -> list[tuple[str, str, str | None, int]]:
    """Hand (workspace, conversation, note) over; those that an agent carried, as (workspace, id, thread, new epoch)."""
    return [(row[0], row[1], row[2], row[3]) for row in await tx.run_rows(_HAND_OVER, sorted(which))]
