"""Time openings: write down when they may leave and until when they are worth it, where that is not the usual."""

from collections.abc import Sequence

from overture.domain.quiet_hours import Times
from overture.domain.reasons import Reason
from overture.domain.sending import Start
from overture.store import quiet_hours
from overture.store.engine import Writing
from overture.store.messages import NewMessage
from overture.store.quiet_hours import Opening, Timing


def is_unusual(start: Start, times: Times) -> bool:
    """Whether a start has times of its own: most leave at once, and their callers say nothing of them."""
    return times.is_deferred or start.life is not None or start.time_zone is not None


async def time_openings(tx: Writing, timed: Sequence[tuple[Start, str, Times, Sequence[NewMessage]]]) -> None:
    """Write the times of (start, conversation, times, its messages, which are queued). The caller commits."""
    if not timed:
        return
    await quiet_hours.note(
        tx, [(start.workspace_id, an_id, _opening(start, times)) for start, an_id, times, _ in timed]
    )
    await quiet_hours.time_messages(
        tx,
        [
            Timing(
                message_id=message.id,
                shard=message.shard,
                workspace_id=message.workspace_id,
                conversation_id=message.conversation_id,
                seq=message.seq,
                due_at=times.due_at,
                expires_at=times.expires_at,
                waits_because=Reason.QUIET_HOURS.value if times.is_deferred else None,
            )
            for _, _, times, said in timed
            for message in said
        ],
    )


def _opening(start: Start, times: Times) -> Opening:
    return Opening(
        time_zone=start.time_zone,
        due_at=times.due_at if times.is_deferred else None,
        expires_at=None if start.life is None else times.expires_at,
    )
