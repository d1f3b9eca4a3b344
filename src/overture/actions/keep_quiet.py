"""Keep quiet hours: what may not reach its recipient now waits, in the very transaction that would have sent it."""

from collections.abc import Sequence
from datetime import datetime

from overture.domain import quiet_hours, reasons
from overture.domain.leaving import Stay
from overture.domain.pace import HORIZON
from overture.domain.reasons import Reason
from overture.domain.rules import Applying
from overture.domain.sending import Priority
from overture.store import outbox
from overture.store import quiet_hours as stored
from overture.store.engine import Writing


async def keep_quiet(
    tx: Writing, asked: Sequence[tuple[outbox.Send, Applying]], now: datetime
) -> tuple[list[outbox.Send], list[tuple[outbox.Send, Stay]]]:
    """Of messages that may go otherwise, which go now, and which never will; the others wait from here on.

    `Applying` is empty for replies, which are never held. The rest of an opening waits with its first part.
    """
    if not any(applying.asks_for_quiet for _, applying in asked):
        return [send for send, _ in asked], []
    openings = await stored.find_openings(
        tx, [(send.workspace_id, send.conversation_id) for send, applying in asked if applying.asks_for_quiet]
    )
    leaving, staying, held = [], [], []
    for send, applying in asked:
        opening = openings.get((send.workspace_id, send.conversation_id), stored.NOTHING)
        at = _next_allowed(applying, send.contact_address, now, opening.time_zone)
        if at == now:
            leaving.append(send)
        elif at is None or at >= send.expires_at:
            fact = reasons.TABLE[Reason.EXPIRES_IN_QUIET_HOURS]
            staying.append((send, Stay(reason=fact.code, description=fact.sentence)))
        else:
            held.append(
                stored.Held(
                    workspace_id=send.workspace_id,
                    conversation_id=send.conversation_id,
                    thread_id=send.thread_id,
                    until=at,
                )
            )
    await stored.hold(tx, held, priority=Priority.OPENING, because=Reason.QUIET_HOURS.value)
    return leaving, staying


def _next_allowed(applying: Applying, address: str, now: datetime, time_zone: str | None) -> datetime | None:
    """When a message may go that leaves a little after it is claimed, if it does: not now, where quiet hours begin."""
    at = quiet_hours.next_allowed(applying, address, now, time_zone=time_zone)
    if at != now:
        return at
    latest = now + HORIZON
    after = quiet_hours.next_allowed(applying, address, latest, time_zone=time_zone)
    return now if after == latest else after
