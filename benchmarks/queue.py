"""A database with many messages that are to leave, filled by the server's own actions and closed again."""

import asyncio
import math
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from benchmarks.served import AGENT, SENDER, Wanted, settings
from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.openings import Answer, Started
from overture.actions.start_conversation import start_conversations
from overture.bootstrap import WORKSPACE, House
from overture.domain.channel import Channel
from overture.domain.ids import shard_of
from overture.domain.message import Author, Direction, Text
from overture.domain.sending import Priority, Start
from overture.store import accounts, agents, conversations, messages, outbox, sweeps, threads
from overture.store.engine import Writing

_BATCH: Final = 500
_LIFE: Final = timedelta(hours=4)
_FAR: Final = datetime(2100, 1, 1, tzinfo=UTC)


def fill(wanted: Wanted, *, conversations: int, lines: int, first: int = 0) -> None:
    """Queue `lines` messages in each of so many new conversations; bodies are `conversation/number`."""
    asyncio.run(_filled(wanted, conversations, lines, first))


def claim_microseconds(wanted: Wanted, *, rounds: int, limit: int) -> float:
    """What it takes to claim one message, in the middle of so many rounds; nothing is sent."""
    return asyncio.run(_claim(wanted, rounds, limit))


async def _filled(wanted: Wanted, count: int, lines: int, first: int) -> None:
    house = House(settings(wanted))
    try:
        await house.open()
        await house.store.write(lambda tx: agents.save(tx, WORKSPACE, AGENT, wanted.spec, {}, house.store.now()))
        for begin in range(first, first + count, _BATCH):
            numbers = range(begin, min(begin + _BATCH, first + count))
            await house.store.write(partial(_start, house=house, numbers=numbers, lines=lines))
    finally:
        await house.close()


async def _start(tx: Writing, *, house: House, numbers: Sequence[int], lines: int) -> None:
    now = house.store.now()
    asked = [
        Start(
            workspace_id=WORKSPACE,
            agent_id=AGENT,
            channel=Channel.SMS,
            to_number=f"+1555{number:07d}",
            from_number=SENDER,
            text=f"{number}/1",
            digest=str(number),
        )
        for number in numbers
    ]
    started: Sequence[Answer] = await start_conversations(tx, asked, now, house.ids)
    opened = [(number, _id_of(one)) for number, one in zip(numbers, started, strict=True)]
    pairs = await threads.find_of_conversations(tx, [(WORKSPACE, an_id) for _, an_id in opened])
    for line in range(2, lines + 1):
        noted = await conversations.note(tx, [(WORKSPACE, an_id) for _, an_id in opened], now)
        new = [
            messages.NewMessage(
                id=house.ids.new(now, shard_of(an_id)),
                workspace_id=WORKSPACE,
                conversation_id=an_id,
                seq=noted[WORKSPACE, an_id][0],
                shard=shard_of(an_id),
                direction=Direction.OUT,
                author=Author.AGENT,
                body=Text(text=f"{number}/{line}"),
            )
            for number, an_id in opened
        ]
        sends = [
            outbox.send_of(
                one,
                thread_id=pairs[WORKSPACE, one.conversation_id].thread_id,
                sender_id=pairs[WORKSPACE, one.conversation_id].sender_id,
                epoch=0,
            )
            for one in new
        ]
        await messages.insert_all(tx, new, now=now, expires_at=now + _LIFE)
        await outbox.insert_all(tx, sends, now=now, expires_at=now + _LIFE, priority=Priority.OPENING)


def _id_of(answer: Answer) -> str:
    assert isinstance(answer, Started), answer
    return answer.conversation_id


async def _claim(wanted: Wanted, rounds: int, limit: int) -> float:
    house = House(settings(wanted))
    try:
        await house.open()
        await house.store.write(_open_all)
        took = []
        for _ in range(rounds):
            began = time.perf_counter()
            [claimed] = await house.store.write(
                lambda tx: claim_deliveries(tx, [Claims(limit=limit)], house.store.now(), house.ids)
            )
            took.append((time.perf_counter() - began) / len(claimed))
        return sorted(took)[math.ceil(rounds / 2) - 1] * 1e6
    finally:
        await house.close()


async def _open_all(tx: Writing) -> None:
    for account in await accounts.list_all(tx):
        await sweeps.open_swept(tx, account.sid, shut_by=_FAR)
