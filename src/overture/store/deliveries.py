"""Stored deliveries: what became of outgoing messages, for those who look and for the person who decides in review.

The outbox tells of a message while it is ours, its attempts of every try, and the message itself of the end. A
message that was refused before its first try has neither row nor attempt: it is found in its conversation.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain import delivery
from overture.domain.channel import Channel
from overture.domain.delivery import DeliveryState, DeliveryStatus
from overture.domain.ids import is_uuid, shard_of
from overture.domain.message import Author, shown
from overture.domain.prices import Cost
from overture.domain.reasons import Waiting
from overture.store import messages
from overture.store.attempts import AttemptState
from overture.store.engine import Reading, instant, instant_or_none
from overture.store.statement import Query, Row, RowsQuery

_QUEUE: Final = """
    o.state, o.due_at, o.tries, o.waits_because, s.stopped_at, coalesce(s.stopped_because, ''), s.shut_because
"""
_OUTBOX_OF: Final = RowsQuery(
    {"message_id": "text", "shard": "int"},
    f"""
    SELECT {_QUEUE}, o.message_id, o.expires_at FROM rows
    JOIN outbox o ON o.message_id = rows.message_id AND o.shard = rows.shard
    JOIN sender s ON s.id = o.sender_id
    """,
)
_TRIES_OF: Final = RowsQuery(
    {"message_id": "text", "shard": "int"},
    """
    SELECT a.message_id, a.number, a.state, a.sid, a.status, a.error_code, a.reason, a.duplicate, a.started_at,
        a.finished_at, a.price_micros, a.price_currency
    FROM rows JOIN attempt a ON a.message_id = rows.message_id AND a.shard = rows.shard
    ORDER BY a.message_id, a.number
    """,
)
_SECOND_SIDS_OF: Final = RowsQuery(
    {"message_id": "text"},
    """
    SELECT t.message_id, t.number, t.sid, t.price_micros, t.price_currency
    FROM rows JOIN second_sid t ON t.message_id = rows.message_id
    ORDER BY t.message_id, t.number, t.seen_at, t.sid
    """,
)
_FACTS: Final = f"""
    {_QUEUE}, m.id, m.conversation_id, m.seq, m.author, m.body, m.status, m.provider_sid, m.error_code, m.reason,
    m.possible_duplicate, m.created_at, coalesce(o.expires_at, m.expires_at), v.agent_id, v.channel,
    t.contact_address, s.address, m.cost_micros, m.cost_currency
"""
_JOINED: Final = """
    JOIN message m ON m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    JOIN conversation v ON v.workspace_id = o.workspace_id AND v.id = o.conversation_id
    JOIN thread t ON t.id = o.thread_id
    JOIN sender s ON s.id = o.sender_id
    WHERE o.workspace_id = $1 AND o.state = $2 AND o.message_id > $3 AND v.deleted_at IS NULL
"""
_LIST: Final = f"SELECT {_FACTS} FROM outbox o"
_PAGE: Final = "ORDER BY o.message_id LIMIT $4"
_LIST_QUEUED: Final = Query(f"{_LIST} {_JOINED} AND o.state = 'queued' {_PAGE}")
# Few are open among many that are queued: SQLite, left alone, walks the whole outbox in the order of its ids.
_LIST_OPEN: Final = Query(
    f"{_LIST} /*sqlite: INDEXED BY outbox_open */ {_JOINED} AND o.state IN ('sending', 'uncertain') {_PAGE}"
)
_LIST_IN_REVIEW: Final = Query(f"{_LIST} {_JOINED} AND o.state = 'needs_review' {_PAGE}")
_FIND: Final = Query(
    f"""
    SELECT {_FACTS} FROM (
        SELECT workspace_id, conversation_id, seq FROM outbox
        WHERE message_id = $2 AND shard = $3 AND workspace_id = $1
        UNION
        SELECT workspace_id, conversation_id, seq FROM attempt
        WHERE message_id = $2 AND shard = $3 AND workspace_id = $1
    ) place
    JOIN message m ON m.workspace_id = place.workspace_id AND m.conversation_id = place.conversation_id
        AND m.seq = place.seq
    JOIN conversation v ON v.workspace_id = place.workspace_id AND v.id = place.conversation_id
    LEFT JOIN outbox o ON o.message_id = m.id AND o.shard = m.shard
    LEFT JOIN thread t ON t.id = v.thread_id AND t.shard = v.shard
    LEFT JOIN sender s ON s.id = t.sender_id
    WHERE v.deleted_at IS NULL
    """
)


class Try(Struct, frozen=True, kw_only=True):
    """One try to hand a message over, as it is told. `reason` is as `domain/reasons.py` keeps it.

    `charged` is what each of the provider's ids for it cost, as far as that is known.
    """

    number: int
    state: AttemptState
    sid: str | None
    status: str | None
    error_code: int | None
    reason: str | None
    duplicate: bool
    second_sids: tuple[str, ...]
    started_at: datetime
    finished_at: datetime | None
    charged: tuple[Cost, ...] = ()


class Course(Struct, frozen=True, kw_only=True):
    """A message's way so far. `waiting` and `expires_at` are None once it has left the outbox."""

    tries: tuple[Try, ...] = ()
    waiting: Waiting | None = None
    expires_at: datetime | None = None

    @property
    def charged(self) -> Cost | None:
        """What all of its tries cost, as far as it is known; None where nothing is, or currencies differ."""
        costs = [cost for one in self.tries for cost in one.charged]
        if len({cost.currency for cost in costs}) != 1:
            return None
        return Cost(micros=sum(cost.micros for cost in costs), currency=costs[0].currency)


class Delivery(Struct, frozen=True, kw_only=True):
    """An outgoing message on its way. A text that cannot be read is None."""

    message_id: str
    conversation_id: str
    seq: int
    author: Author
    text: str | None
    status: DeliveryStatus | None
    provider_sid: str | None
    error_code: int | None
    reason: str | None
    possible_duplicate: bool
    created_at: datetime
    expires_at: datetime | None
    agent_id: str
    channel: Channel
    contact_address: str | None
    sender_address: str | None
    waiting: Waiting | None
    cost: Cost | None = None

    @property
    def state(self) -> DeliveryState | None:
        """Where it stands."""
        return delivery.state_of(None if self.waiting is None else self.waiting.state, self.status)


async def list_in(tx: Reading, workspace_id: str, state: DeliveryState, *, after: str, limit: int) -> list[Delivery]:
    """The deliveries of a workspace that are in a state of the outbox, oldest first."""
    match state:
        case DeliveryState.NEEDS_REVIEW:
            query = _LIST_IN_REVIEW
        case DeliveryState.SENDING | DeliveryState.UNCERTAIN:
            query = _LIST_OPEN
        case _:
            query = _LIST_QUEUED
    return [_delivery(row) for row in await tx.all(query, workspace_id, state.value, after, limit)]


async def find(tx: Reading, workspace_id: str, message_id: str) -> Delivery | None:
    """The delivery of a message that waits in the outbox or was tried."""
    if not is_uuid(message_id):
        return None
    row = await tx.one(_FIND, workspace_id, message_id, shard_of(message_id))
    return None if row is None else _delivery(row)


async def read_courses(tx: Reading, message_ids: Sequence[str]) -> dict[str, Course]:
    """The way so far of each message that has begun one: three queries, however many messages."""
    keys = sorted((an_id, shard_of(an_id)) for an_id in set(message_ids))
    seconds: dict[tuple[str, int], list[Row]] = {}
    for row in await tx.all_of(_SECOND_SIDS_OF, [(an_id,) for an_id, _ in keys]):
        seconds.setdefault((row[0], row[1]), []).append(row)
    tries: dict[str, list[Try]] = {}
    for row in await tx.all_of(_TRIES_OF, keys):
        tries.setdefault(row[0], []).append(_try(row, tuple(seconds.get((row[0], row[1]), ()))))
    courses = {an_id: Course(tries=tuple(found)) for an_id, found in tries.items()}
    for row in await tx.all_of(_OUTBOX_OF, keys):
        courses[row[7]] = Course(
            tries=tuple(tries.get(row[7], ())), waiting=_waiting(row), expires_at=instant_or_none(row[8])
        )
    return courses


def _waiting(row: Row) -> Waiting | None:
    if row[0] is None:
        return None
    return Waiting(
        state=DeliveryState(row[0]),
        due_at=instant(row[1]),
        tries=row[2],
        recorded=row[3],
        stopped_because=None if row[4] is None else row[5],
        shut_because=row[6],
    )


def _try(row: Row, seconds: Sequence[Row]) -> Try:
    charges = [(row[10], row[11]), *((second[3], second[4]) for second in seconds)]
    return Try(
        number=row[1],
        state=AttemptState(row[2]),
        sid=row[3],
        status=row[4],
        error_code=row[5],
        reason=row[6],
        duplicate=bool(row[7]),
        second_sids=tuple(second[2] for second in seconds),
        started_at=instant(row[8]),
        finished_at=instant_or_none(row[9]),
        charged=tuple(Cost(micros=micros, currency=currency) for micros, currency in charges if micros is not None),
    )


def _delivery(row: Row) -> Delivery:
    return Delivery(
        message_id=row[7],
        conversation_id=row[8],
        seq=row[9],
        author=Author(row[10]),
        text=_text(row[11]),
        status=None if row[12] is None else DeliveryStatus(row[12]),
        provider_sid=row[13],
        error_code=row[14],
        reason=row[15],
        possible_duplicate=bool(row[16]),
        created_at=instant(row[17]),
        expires_at=instant_or_none(row[18]),
        agent_id=row[19],
        channel=Channel(row[20]),
        contact_address=row[21],
        sender_address=row[22],
        waiting=_waiting(row),
        cost=None if row[23] is None else Cost(micros=row[23], currency=row[24]),
    )


def _text(body: str) -> str | None:
    """The words of a body; a body that nobody can read is itself a reason to be in review, and must not hide it."""
    try:
        return shown(messages.decode_body(body))
    except msgspec.DecodeError:
        return None
