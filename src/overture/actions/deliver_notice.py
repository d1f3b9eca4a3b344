"""Deliver notices: each is claimed, sent by its road with no transaction open, and what came of it is recorded."""

from collections import Counter
from collections.abc import Mapping, Sequence
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
AT_ONCE: Final = 48  # tools are called through the same client, which has a hundred connections
AT_ONCE_THERE: Final = 2  # at one server: it only has to keep them, and it takes 24 that hang to hold others up
LEASE: Final = timedelta(seconds=60)  # well beyond a try: what is claimed again is sent again


async def claim_notices(
    tx: Writing, urls: Sequence[str], on_their_way: Mapping[str, int], now: datetime
) -> Sequence[Notice]:
    """What is to be delivered now to these URLs, beside so many by server. The caller commits before it sends."""
    there, claimed = Counter(on_their_way), list[Notice]()
    for url in urls:
        server = rules.server_of(url)
        room = min(AT_ONCE_THERE - there[server], AT_ONCE - there.total())
        if room > 0:
            found = await notices.claim_due(tx, url, now, now + LEASE, room)
            there[server] += len(found)
            claimed += found
    return claimed


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
