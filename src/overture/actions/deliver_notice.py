"""Deliver notices: each is claimed, sent by its road with no transaction open, and what came of it is recorded."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from overture.domain import notice as rules
from overture.domain.errors import Failure, Permanent
from overture.domain.event import EventKind
from overture.domain.notice import Notice, NoticeState
from overture.domain.ports import Ids
from overture.store import events, notices
from overture.store.engine import Writing

TRY_SECONDS: Final = 10.0  # for one answer: who is told has only to keep it
LEASE: Final = timedelta(seconds=60)  # well beyond a try: what is claimed again is sent again


async def claim_notices(tx: Writing, limit: int, now: datetime) -> Sequence[Notice]:
    """What is to be delivered now, at most `limit`. The caller commits before it sends."""
    return await notices.claim_due(tx, now, now + LEASE, limit)


async def record_notice(
    tx: Writing, notice: Notice, result: int | Failure, now: datetime, ids: Ids
) -> tuple[NoticeState, str | None]:
    """Record what a try came to, a status or a failure: the notice's state, and why it failed. The caller commits."""
    if isinstance(result, Failure):
        reason, is_over = " ".join((result.description, result.hint or "")).strip(), isinstance(result, Permanent)
    elif (objection := rules.objection(result)) is not None:
        reason, is_over = objection, rules.is_final(result)
    else:
        await notices.settle(tx, notice, NoticeState.DELIVERED, reason=None, again_at=None, now=now)
        return NoticeState.DELIVERED, None
    again_at = None if is_over else rules.again_at(notice, now)
    state = NoticeState.FAILED if again_at is None else NoticeState.WAITING
    if await notices.settle(tx, notice, state, reason=reason, again_at=again_at, now=now) and again_at is None:
        failed = events.make(
            ids,
            EventKind.NOTICE_FAILED,
            notice.workspace_id,
            notice.conversation_id,
            now,
            notice_id=notice.id,
            tells=notice.kind.value,
            reason=reason,
        )
        await events.insert_all(tx, [failed], now)
    return state, reason
