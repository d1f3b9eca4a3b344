"""Record what the provider reports of messages: statuses only move forward, and a report may bring an attempt's SID.

A report that names our message and attempt settles an attempt whose answer was lost. A second SID for one attempt is
kept and flagged: the provider took the message twice.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from overture.actions import change_consent
from overture.domain import delivery
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryStatus
from overture.domain.event import Event, EventKind
from overture.domain.ports import Ids, StatusReport
from overture.domain.provider_errors import Effect, describe, problem_code
from overture.store import attempts, events, messages, outbox, threads
from overture.store.engine import Writing


async def record_deliveries(tx: Writing, reports: Sequence[StatusReport], now: datetime, ids: Ids) -> list[str]:
    """Record each, in the order given; what became of it in a few words. The caller commits."""
    found = await _lock_attempts(tx, reports)
    by_number = {(one.message_id, one.number): one for one in found}
    by_sid = {(one.account_sid, one.sid): one for one in found if one.sid is not None}
    records = _Records(now=now, ids=ids)
    outcomes = []
    for report in reports:
        attempt = by_sid.get((report.account_sid, report.sid))
        if attempt is None and report.message_id is not None and report.attempt is not None:
            attempt = by_number.get((report.message_id, report.attempt))
        if attempt is None or attempt.account_sid != report.account_sid:
            outcomes.append("unknown message")
            continue
        newer = records.take(attempt, report)
        outcomes.append("recorded" if newer is not attempt else "no news")
        by_number[newer.message_id, newer.number] = newer
        by_sid[report.account_sid, report.sid] = newer
    await records.write(tx)
    return outcomes


async def _lock_attempts(tx: Writing, reports: Sequence[StatusReport]) -> list[attempts.Attempt]:
    """The attempts that are reported on, held until the commit.

    Where one may still be in the outbox its row there is held first: the order of record_outcome, so that neither
    waits for the other.
    """
    found = await attempts.find(
        tx,
        [(report.account_sid, report.sid) for report in reports],
        [(r.message_id, r.attempt) for r in reports if r.message_id is not None and r.attempt is not None],
    )
    unsettled = [(a.message_id, a.shard) for a in found if a.state is not attempts.AttemptState.ACCEPTED]
    if unsettled:
        await outbox.lock_messages(tx, unsettled)
    return await attempts.lock(tx, [attempt.message_id for attempt in found])


class _Records:
    """The rows that a batch of reports asks for."""

    def __init__(self, *, now: datetime, ids: Ids) -> None:
        self._now: Final = now
        self._ids: Final = ids
        self._attempts: Final[dict[tuple[str, int], attempts.Finished]] = {}
        self._settled: Final[list[tuple[str, int]]] = []
        self._statuses: Final[dict[str, messages.StatusChange]] = {}
        self._twice: Final[list[tuple[str, str, int]]] = []
        self._events: Final[list[Event]] = []
        self._failed: Final[list[tuple[attempts.Attempt, Effect]]] = []

    def take(self, attempt: attempts.Attempt, report: StatusReport) -> attempts.Attempt:
        """Put one report on record; the attempt as it is then, the very same where the report is no news."""
        if attempt.sid is not None and attempt.sid != report.sid:
            return self._taken_twice(attempt, report)
        present = None if attempt.status is None else DeliveryStatus(attempt.status)
        if attempt.sid is not None and not delivery.moves(present, report.status):
            return attempt
        newer = attempts.Attempt(
            message_id=attempt.message_id,
            number=attempt.number,
            shard=attempt.shard,
            workspace_id=attempt.workspace_id,
            account_sid=attempt.account_sid,
            conversation_id=attempt.conversation_id,
            seq=attempt.seq,
            state=attempts.AttemptState.ACCEPTED,
            sid=report.sid,
            status=report.status.value,
            error_code=report.error_code,
            started_at=attempt.started_at,
        )
        self._keep(newer)
        if attempt.state is not attempts.AttemptState.ACCEPTED:
            self._settled.append((attempt.message_id, attempt.shard))
        reason = None if report.error_code is None else problem_code(report.error_code)
        self._statuses[attempt.message_id] = messages.StatusChange(
            workspace_id=attempt.workspace_id,
            conversation_id=attempt.conversation_id,
            seq=attempt.seq,
            status=report.status,
            error_code=report.error_code,
            reason=reason,
            sid=report.sid,
        )
        self._tell(attempt, report)
        if report.error_code is not None and (effect := describe(report.error_code).effect) is not None:
            self._failed.append((newer, effect))
        return newer

    async def write(self, tx: Writing) -> None:
        """Write everything."""
        await attempts.finish(tx, list(self._attempts.values()), self._now)
        await outbox.delete(tx, self._settled)
        await messages.set_statuses(tx, list(self._statuses.values()))
        await messages.flag_possible_duplicates(tx, self._twice)
        await events.insert_all(tx, self._events, self._now)
        await self._write_effects(tx)

    def _taken_twice(self, attempt: attempts.Attempt, report: StatusReport) -> attempts.Attempt:
        self._twice.append((attempt.workspace_id, attempt.conversation_id, attempt.seq))
        self._attempts[attempt.message_id, attempt.number] = attempts.Finished(
            message_id=attempt.message_id,
            number=attempt.number,
            shard=attempt.shard,
            state=attempt.state,
            sid=attempt.sid,
            status=attempt.status,
            error_code=attempt.error_code,
            reason=f"also {report.sid}",
            duplicate=True,
        )
        return attempt

    def _keep(self, attempt: attempts.Attempt) -> None:
        self._attempts[attempt.message_id, attempt.number] = attempts.Finished(
            message_id=attempt.message_id,
            number=attempt.number,
            shard=attempt.shard,
            state=attempt.state,
            sid=attempt.sid,
            status=attempt.status,
            error_code=attempt.error_code,
        )

    def _tell(self, attempt: attempts.Attempt, report: StatusReport) -> None:
        kind = EventKind.MESSAGE_FAILED if report.status in delivery.FAILED else EventKind.MESSAGE_STATUS
        self._events.append(
            events.make(
                self._ids,
                kind,
                attempt.workspace_id,
                attempt.conversation_id,
                self._now,
                message_id=attempt.message_id,
                status=report.status.value,
                error_code=report.error_code,
                description=None if report.error_code is None else describe(report.error_code).sentence,
            )
        )

    async def _write_effects(self, tx: Writing) -> None:
        """What a failure tells besides: a window that is closed, a contact who opted out."""
        if not self._failed:
            return
        pairs = await threads.find_of_conversations(
            tx, [(attempt.workspace_id, attempt.conversation_id) for attempt, _ in self._failed]
        )
        closed, opted_out = [], []
        for attempt, effect in self._failed:
            pair = pairs.get((attempt.workspace_id, attempt.conversation_id))
            if pair is None:
                continue
            if effect is Effect.WINDOW_CLOSED and pair.channel is Channel.WHATSAPP:
                closed.append((pair.thread_id, attempt.shard, attempt.started_at))
            elif effect is Effect.OPTED_OUT:
                opted_out.append(
                    change_consent.Change(
                        workspace_id=attempt.workspace_id,
                        contact_id=pair.contact_id,
                        contact_key=pair.contact_key,
                        shard=attempt.shard,
                        channel=pair.channel,
                        opted_out=True,
                        source="provider",
                        evidence=str(attempt.error_code),
                        sender_id=pair.sender_id,
                    )
                )
        await threads.close_windows(tx, closed)
        await change_consent.change_consents(tx, opted_out, self._now, self._ids)
