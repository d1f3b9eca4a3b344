"""What a failed message tells besides that it failed: of its contact, of the window, of its sender.

A failure may be told late. What its contact did since then is newer: who opted in again after the message was sent is
not opted out by it, and a window that a newer message opened stays open.
"""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from overture.actions import change_consent
from overture.domain import opt_out
from overture.domain.channel import Channel
from overture.domain.event import EventKind
from overture.domain.opt_out import OptOutScope
from overture.domain.ports import Ids
from overture.domain.provider_errors import Effect, Stops, describe, problem_code
from overture.store import contacts, events, rules, senders, threads
from overture.store.attempts import Attempt
from overture.store.engine import Writing
from overture.store.threads import Pair


class Lesson(Struct, frozen=True, kw_only=True):
    """A failure of a message: which one, when its try began, and the provider's code."""

    workspace_id: str
    conversation_id: str
    account_sid: str
    shard: int
    started_at: datetime
    code: int


def lesson_of(attempt: Attempt, code: int) -> Lesson:
    """The failure of one attempt."""
    return Lesson(
        workspace_id=attempt.workspace_id,
        conversation_id=attempt.conversation_id,
        account_sid=attempt.account_sid,
        shard=attempt.shard,
        started_at=attempt.started_at,
        code=code,
    )


async def learn(tx: Writing, lessons: Sequence[Lesson], now: datetime, ids: Ids) -> None:
    """Write what failures tell. The caller commits."""
    telling = [lesson for lesson in lessons if _tells(lesson)]
    if not telling:
        return
    pairs = await threads.find_of_conversations(
        tx, [(lesson.workspace_id, lesson.conversation_id) for lesson in telling]
    )
    known = [
        (lesson, pairs[key]) for lesson in telling if (key := (lesson.workspace_id, lesson.conversation_id)) in pairs
    ]
    await threads.close_windows(
        tx,
        [
            (pair.thread_id, lesson.shard, lesson.started_at)
            for lesson, pair in known
            if describe(lesson.code).effect is Effect.WINDOW_CLOSED and pair.channel is Channel.WHATSAPP
        ],
    )
    await _opt_out(tx, [one for one in known if describe(one[0].code).effect is Effect.OPTED_OUT], now, ids)
    await _stop(tx, [one for one in known if describe(one[0].code).stops is not Stops.NOTHING], now, ids)


def _tells(lesson: Lesson) -> bool:
    fact = describe(lesson.code)
    return fact.effect in (Effect.WINDOW_CLOSED, Effect.OPTED_OUT) or fact.stops is not Stops.NOTHING


async def _opt_out(tx: Writing, told: Sequence[tuple[Lesson, Pair]], now: datetime, ids: Ids) -> None:
    """The provider refuses for the sender, or its Messaging Service; the workspace may have set that all be silent."""
    if not told:
        return
    scopes = {
        an_id: (await rules.get_of_workspace(tx, an_id)).opt_out_scope or OptOutScope.WORKSPACE
        for an_id in sorted({lesson.workspace_id for lesson, _ in told})
    }
    opted_in = await contacts.find_last_opt_ins(tx, [(lesson.workspace_id, pair.contact_id) for lesson, pair in told])
    changes = [
        change_consent.Change(
            workspace_id=lesson.workspace_id,
            contact_id=pair.contact_id,
            contact_key=pair.contact_key,
            shard=lesson.shard,
            channel=pair.channel.value,
            opted_out=True,
            source="provider",
            evidence=problem_code(lesson.code),
            sender_id=pair.sender_id,
            of=(opt_out.key_at_provider(pair.sender_id, pair.service_sid),),
            whole=scopes[lesson.workspace_id] is OptOutScope.WORKSPACE,
        )
        for lesson, pair in told
        if (at := opted_in.get((lesson.workspace_id, pair.contact_id))) is None or at < lesson.started_at
    ]
    await change_consent.change_consents(tx, changes, now, ids)


async def _stop(tx: Writing, told: Sequence[tuple[Lesson, Pair]], now: datetime, ids: Ids) -> None:
    """Let rest what nothing more will get through, until the operator has acted or some time has passed."""
    for lesson, pair in told:
        fact = describe(lesson.code)
        if fact.stops is Stops.ACCOUNT:
            stopped = await senders.stop_account(tx, lesson.account_sid, fact.sentence, now)
        else:
            stopped = [pair.sender_id] if await senders.stop(tx, pair.sender_id, fact.sentence, now) else []
        rests = [
            events.make(
                ids,
                EventKind.SENDER_STOPPED,
                lesson.workspace_id,
                None,
                now,
                sender_id=an_id,
                because=fact.sentence,
                hint=fact.operator,
            )
            for an_id in stopped
        ]
        await events.insert_all(tx, rests, now)
