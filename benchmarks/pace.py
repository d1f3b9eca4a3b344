"""Many senders, each with a pace of its own and a long queue: whether all leave as fast as they may, and no faster.

The out road runs as in the server, at a provider that answers at once: what is measured is whose turn it is.
"""

import asyncio
import bisect
import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from msgspec import Struct

from benchmarks import databases
from benchmarks.roads import Plan
from benchmarks.served import ACCOUNT, AGENT, FLOW, Wanted, settings
from overture import log
from overture.actions.claim_deliveries import Claims, claim_deliveries
from overture.actions.record_outcome import Outcome, record_outcomes
from overture.actions.save_pool import save_own_pace
from overture.actions.start_conversation import start_conversations
from overture.adapters.twilio.client import TwilioClient
from overture.bootstrap import WORKSPACE, House
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryStatus
from overture.domain.ports import Accepted, Outgoing
from overture.domain.sender import KeywordHandling, SenderKind
from overture.domain.sending import Start
from overture.store import accounts, agents, senders, sweeps
from overture.store.batch import Batch
from overture.store.engine import Writing, instant
from overture.store.statement import Query
from overture.workers import loop
from overture.workers.outbox import OutboxRoad

TOLERANCE: Final = 0.02
TOTAL: Final = 300.0  # messages a second of all senders together: what one worker has time for beside all else
_SPREAD: Final = (1, 2, 4, 8, 16)  # the fastest sender is so many times as fast as the slowest
_SETTLING: Final = timedelta(seconds=5)  # at first every sender is free at once, as after a start
_BATCH: Final = 500
_SENT: Final = Query(
    "SELECT sender.id, attempt.started_at FROM attempt JOIN thread ON thread.id = attempt.thread_id "
    "JOIN sender ON sender.id = thread.sender_id"
)


class Paced(Struct, frozen=True, kw_only=True):
    """What left in a time: as parts of what may, of all senders and of the one that got least of its own.

    `over` is the most that left a sender in any second, as a part of its pace and one.
    """

    name: str
    senders: int
    queued: int
    of_allowed: float
    of_the_least: float
    over: float


class _AtOnce(TwilioClient):
    """Takes every message, and asks nobody."""

    def __init__(self) -> None:
        super().__init__(accounts={}, secret=b"")
        self._numbers = itertools.count(1)

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Take it."""
        return Accepted(sid=f"SM{next(self._numbers):032x}", status=DeliveryStatus.QUEUED)


def measure(plan: Plan, *, count: int, queued: int, seconds: int) -> list[Paced]:
    """Let the queues of so many senders run for a time, on each engine."""
    log.configure("error", "text")
    found = []
    for engine in ("SQLite", "PostgreSQL"):
        with databases.of(engine, plan.folder / f"pace-{engine}") as (data, url):
            wanted = Wanted(core=plan.server_core, data=str(data), database_url=url)
            found.append(asyncio.run(_run(engine, wanted, count, queued, seconds)))
    return found


async def _run(engine: str, wanted: Wanted, count: int, queued: int, seconds: int) -> Paced:
    house, provider = House(settings(wanted)), _AtOnce()
    try:
        await house.open()
        paces = await house.store.write(partial(_furnish, house=house, count=count))
        waiting = await _queue(house, list(paces), paces, queued)
        began = house.store.now() + _SETTLING
        await _send(house, provider, seconds + _SETTLING.total_seconds())
        rows = await house.store.read(lambda tx: tx.all(_SENT))
    finally:
        await provider.aclose()
        await house.close()
    sent: defaultdict[str, list[datetime]] = defaultdict(list)
    for sender_id, at in rows:
        if began <= instant(at) < began + timedelta(seconds=seconds):
            sent[sender_id].append(instant(at))
    may = {an_id: min(waiting[an_id], pace * seconds) for an_id, pace in paces.items()}
    return Paced(
        name=engine,
        senders=count,
        queued=sum(waiting.values()),
        of_allowed=sum(map(len, sent.values())) / sum(may.values()),
        of_the_least=min((len(sent[an_id]) + 1) / most for an_id, most in may.items()),  # one may be just outside
        over=max(_most(sorted(at)) / (paces[an_id] + 1) for an_id, at in sent.items()),
    )


def _most(at: Sequence[datetime]) -> int:
    second = timedelta(seconds=1)
    return max((bisect.bisect_left(at, begin + second) - n for n, begin in enumerate(at)), default=0)


async def _furnish(tx: Writing, *, house: House, count: int) -> dict[str, float]:
    """So many senders, and the pace of each."""
    now = house.store.now()
    await agents.save(tx, WORKSPACE, AGENT, FLOW, {}, now)
    await accounts.add(tx, WORKSPACE, ACCOUNT, now)
    await sweeps.open_swept(tx, ACCOUNT, shut_by=now + timedelta(days=1))
    shares = [_SPREAD[n % len(_SPREAD)] for n in range(count)]
    paces = {}
    for n, share in enumerate(shares):
        sender = senders.Sender(
            id=house.ids.new(now),
            workspace_id=WORKSPACE,
            account_sid=ACCOUNT,
            channel=Channel.SMS,
            address=_address(n),
            kind=SenderKind.LONG_CODE,
            messaging_service_sid=None,
            keyword_handling=KeywordHandling.TWILIO,
            inbound_agent_id=None,
            activated_at=now,
            stopped_at=None,
            stopped_because=None,
        )
        await senders.upsert(tx, sender, now)
        paces[sender.id] = TOTAL * share / sum(shares)
        await save_own_pace(tx, WORKSPACE, sender.id, Channel.SMS, sender.address, paces[sender.id])
    return paces


async def _queue(house: House, ids: Sequence[str], paces: Mapping[str, float], queued: int) -> dict[str, int]:
    """Queue at each sender as many of all as its pace is of all paces."""
    waiting = {an_id: max(1, round(queued * paces[an_id] / TOTAL)) for an_id in ids}
    asked = [
        Start(
            workspace_id=WORKSPACE,
            agent_id=AGENT,
            channel=Channel.SMS,
            to_number=f"+1555{number:07d}",
            from_number=_address(n),
            text="Hello",
            digest=str(number),
        )
        for number, n in enumerate(n for n, an_id in enumerate(ids) for _ in range(waiting[an_id]))
    ]
    for begin in range(0, len(asked), _BATCH):
        some = asked[begin : begin + _BATCH]
        await house.store.write(partial(start_conversations, asked=some, now=house.store.now(), ids=house.ids))
    return waiting


async def _send(house: House, provider: TwilioClient, seconds: float) -> None:
    signals, stopping = house.signals, asyncio.Event()
    claims: Batch[Claims, list[Outgoing]] = Batch(house.store, claim_deliveries, house.ids)
    outcomes: Batch[Outcome, bool] = Batch(
        house.store, record_outcomes, house.ids, after=lambda _: signals.wake("outbox")
    )
    road = OutboxRoad(store=house.store, provider=provider, ids=house.ids, claims=claims, outcomes=outcomes)
    going = asyncio.create_task(loop.run("outbox", road.look, signals=signals, stopping=stopping))
    await asyncio.sleep(seconds)
    stopping.set()
    signals.heard("outbox")
    await going
    await road.drain(10)
    await outcomes.settle()


def _address(n: int) -> str:
    return f"+1556{n:07d}"
