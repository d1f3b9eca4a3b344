"""Stored senders: the addresses of ours that contacts are written from and write to."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.account import Origin
from overture.domain.channel import Channel
from overture.domain.pace import Tail
from overture.domain.rules import NONE, Rules
from overture.domain.sender import ForeignOutbound, InboundWay, KeywordHandling, SenderKind
from overture.store import rules
from overture.store.accounts import ShutBecause
from overture.store.engine import Reading, Writing, instant_or_none, stored
from overture.store.queues import TAILS_OF_SENDER, read_tails
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

_COLUMNS: Final = f"""
    sender.id, sender.workspace_id, sender.account_sid, sender.channel, sender.address, sender.kind,
    sender.messaging_service_sid, sender.keyword_handling, sender.inbound_agent_id, sender.activated_at,
    sender.stopped_at, sender.stopped_because, sender.removed_at, sender.webhook_seen_at,
    sender.inbound, sender.foreign_outbound, sender.past_read_at, sender.origin,
    sender.rules, (SELECT workspace.rules FROM workspace WHERE workspace.id = sender.workspace_id),
    (SELECT workspace.prices_revision FROM workspace WHERE workspace.id = sender.workspace_id),
    (SELECT pool.per_second FROM pool WHERE pool.id = sender.id),
    {TAILS_OF_SENDER}
"""
_UPSERT: Final = Command(
    """
    INSERT INTO sender (id, workspace_id, account_sid, channel, address, kind, messaging_service_sid,
                        keyword_handling, inbound_agent_id, activated_at, created_at, origin)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $11)
    ON CONFLICT (workspace_id, channel, address) DO UPDATE SET
        webhook_seen_at = CASE WHEN sender.account_sid = excluded.account_sid THEN sender.webhook_seen_at END,
        account_sid = excluded.account_sid, kind = excluded.kind,
        messaging_service_sid = excluded.messaging_service_sid,
        keyword_handling = excluded.keyword_handling, inbound_agent_id = excluded.inbound_agent_id,
        removed_at = NULL, stopped_at = NULL, stopped_because = NULL, origin = excluded.origin
    """
)
_SET_WAYS: Final = Command(
    "UPDATE sender SET inbound = $4, foreign_outbound = $5 WHERE workspace_id = $1 AND channel = $2 AND address = $3"
)
_RETIRE: Final = Command("UPDATE sender SET removed_at = $3 WHERE workspace_id = $1 AND removed_at IS NULL AND id = $2")
_CHANGE: Final = Command(
    """
    UPDATE sender SET messaging_service_sid = $3, keyword_handling = $4, inbound_agent_id = $5, inbound = $6,
        foreign_outbound = $7
    WHERE workspace_id = $1 AND id = $2
    """
)
_SHUT: Final = Command(
    "UPDATE sender SET shut_at = $3, shut_because = coalesce(shut_because, $4) WHERE workspace_id = $1 AND id = $2"
)
_FIND: Final = Query(f"SELECT {_COLUMNS} FROM sender WHERE workspace_id = $1 AND id = $2 AND removed_at IS NULL")
_LOCK: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM sender WHERE workspace_id = $1 AND id = $2 AND removed_at IS NULL /*pg: FOR UPDATE */
    """
)
_LOCK_AT: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM sender WHERE workspace_id = $1 AND channel = $2 AND address = $3 /*pg: FOR UPDATE */
    """
)
_LIST: Final = Query(
    f"SELECT {_COLUMNS} FROM sender WHERE workspace_id = $1 AND removed_at IS NULL ORDER BY channel, address"
)
_BY_NUMBER: Final = RowsQuery(
    {"workspace_id": "text", "address": "text"},
    f"""
    SELECT {_COLUMNS} FROM rows JOIN sender
        ON sender.workspace_id = rows.workspace_id AND sender.address = rows.address
    WHERE sender.removed_at IS NULL AND sender.activated_at IS NOT NULL
    """,
)
_BY_ACCOUNT: Final = RowsQuery(
    {"account_sid": "text", "channel": "text", "address": "text"},
    f"""
    SELECT {_COLUMNS} FROM rows JOIN sender
        ON sender.account_sid = rows.account_sid AND sender.channel = rows.channel AND sender.address = rows.address
    WHERE sender.activated_at IS NOT NULL
    """,
)
_OF_ACCOUNT: Final = Query(f"SELECT {_COLUMNS} FROM sender WHERE account_sid = $1 ORDER BY channel, address")
_SEE_WEBHOOKS: Final = RowsCommand(
    {"id": "text"},
    "UPDATE sender SET webhook_seen_at = $1 FROM rows WHERE sender.id = rows.id AND sender.webhook_seen_at IS NULL",
)
_MARK_PAST_READ: Final = Command(
    """
    UPDATE sender SET past_read_at = $3
    WHERE account_sid = $1 AND removed_at IS NULL AND past_read_at IS NULL AND activated_at <= $2
    """
)
_STOP_ACCOUNT: Final = Command(
    """
    UPDATE sender SET stopped_at = $2, stopped_because = $3
    WHERE account_sid = $1 AND removed_at IS NULL AND stopped_at IS NULL RETURNING id
    """
)
_STOP: Final = Command(
    "UPDATE sender SET stopped_at = $2, stopped_because = $3 WHERE id = $1 AND stopped_at IS NULL RETURNING id"
)
_START_ALL: Final = Command("UPDATE sender SET stopped_at = NULL, stopped_because = NULL WHERE stopped_at < $1")


_WORKSPACE_OF: Final = Query("SELECT min(workspace_id) FROM sender WHERE account_sid = $1")


class Sender(Struct, frozen=True, kw_only=True):
    """One address of ours on one channel.

    `webhook_seen_at` is when a signed webhook of its own first reached us, `past_read_at` when the day before its
    activation was read, `prices_revision` names its workspace's price table. `pace_per_second` is its own pace; `tails`
    are the ends of the queues that it stands in.
    """

    id: str
    workspace_id: str
    account_sid: str
    channel: Channel
    address: str
    kind: SenderKind
    messaging_service_sid: str | None
    keyword_handling: KeywordHandling
    inbound_agent_id: str | None
    activated_at: datetime | None
    stopped_at: datetime | None
    stopped_because: str | None
    removed_at: datetime | None = None
    webhook_seen_at: datetime | None = None
    inbound: InboundWay = InboundWay.WEBHOOK
    foreign_outbound: ForeignOutbound = ForeignOutbound.NOTE
    past_read_at: datetime | None = None
    origin: Origin = Origin.SETTINGS
    rules: Rules = NONE
    workspace_rules: Rules = NONE
    prices_revision: str | None = None
    pace_per_second: float | None = None
    tails: tuple[Tail, ...] = ()

    @property
    def is_polled(self) -> bool:
        """Whether the provider's list is the way in."""
        return self.inbound is InboundWay.POLL

    @property
    def listens(self) -> bool:
        """Whether what is written to it is ours to answer, webhook or not."""
        reaches_us = self.is_polled or self.webhook_seen_at is not None
        return self.removed_at is None and self.activated_at is not None and reaches_us

    def precedes(self, at: datetime) -> bool:
        """Whether an instant lies before its activation."""
        return self.removed_at is None and self.activated_at is not None and at < self.activated_at


async def upsert(tx: Writing, sender: Sender, now: datetime) -> None:
    """Keep a sender; one that is known keeps its id and the time it was activated."""
    await tx.run(
        _UPSERT,
        sender.id,
        sender.workspace_id,
        sender.account_sid,
        sender.channel,
        sender.address,
        sender.kind,
        sender.messaging_service_sid,
        sender.keyword_handling,
        sender.inbound_agent_id,
        stored(now),
        sender.origin.value,
    )
    await tx.run(
        _SET_WAYS, sender.workspace_id, sender.channel, sender.address, sender.inbound, sender.foreign_outbound
    )


async def change(tx: Writing, sender: Sender) -> None:
    """Keep what may change of a sender in use: its service, its keywords, its agent, its way in, what others send."""
    await tx.run(
        _CHANGE,
        sender.workspace_id,
        sender.id,
        sender.messaging_service_sid,
        sender.keyword_handling,
        sender.inbound_agent_id,
        sender.inbound,
        sender.foreign_outbound,
    )


async def shut(tx: Writing, workspace_id: str, sender_id: str, because: ShutBecause, now: datetime) -> None:
    """Shut a sender's outbox until its account was swept."""
    await tx.run(_SHUT, workspace_id, sender_id, stored(now), because.value)


async def find(tx: Reading, workspace_id: str, sender_id: str) -> Sender | None:
    """A sender in use, by its id."""
    row = await tx.one(_FIND, workspace_id, sender_id)
    return None if row is None else _sender(row)


async def lock(tx: Writing, workspace_id: str, sender_id: str) -> Sender | None:
    """As `find`, held until the commit."""
    row = await tx.one(_LOCK, workspace_id, sender_id)
    return None if row is None else _sender(row)


async def lock_at(tx: Writing, workspace_id: str, channel: Channel, address: str) -> Sender | None:
    """The sender that an address has or had on a channel, held until the commit."""
    row = await tx.one(_LOCK_AT, workspace_id, channel.value, address)
    return None if row is None else _sender(row)


async def retire(tx: Writing, workspace_id: str, sender_id: str, now: datetime) -> None:
    """Stop using a sender; its threads stay on record."""
    await tx.run(_RETIRE, workspace_id, sender_id, stored(now))


async def list_active(tx: Reading, workspace_id: str) -> list[Sender]:
    """The senders of a workspace."""
    return [_sender(row) for row in await tx.all(_LIST, workspace_id)]


async def find_by_number(tx: Reading, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[Channel, Sender]]:
    """The senders behind (workspace, number) pairs, by the channels each can do."""
    found: dict[tuple[str, str], dict[Channel, Sender]] = {}
    for row in await tx.all_of(_BY_NUMBER, sorted(set(asked))):
        sender = _sender(row)
        found.setdefault((sender.workspace_id, sender.address), {})[sender.channel] = sender
    return found


async def find_by_account(
    tx: Reading, asked: Iterable[tuple[str, Channel, str]]
) -> dict[tuple[str, Channel, str], Sender]:
    """The senders behind (account, channel, address) triples, as a webhook names them.

    Those that are no longer used are found too: who opts out at one must not be written to from another.
    """
    found = (_sender(row) for row in await tx.all_of(_BY_ACCOUNT, sorted(set(asked))))
    return {(sender.account_sid, sender.channel, sender.address): sender for sender in found}


async def list_of_account(tx: Reading, account_sid: str) -> list[Sender]:
    """Every sender of a provider account, those that are no longer used too."""
    return [_sender(row) for row in await tx.all(_OF_ACCOUNT, account_sid)]


async def see_webhooks(tx: Writing, sender_ids: Iterable[str], now: datetime) -> None:
    """Record that webhooks of senders have reached us, once for each."""
    await tx.run_rows(_SEE_WEBHOOKS, [(an_id,) for an_id in sorted(set(sender_ids))], stored(now))


async def mark_past_read(tx: Writing, account_sid: str, activated_by: datetime, now: datetime) -> None:
    """Record that the past of an account's senders is known, of those that were activated by an instant; once."""
    await tx.run(_MARK_PAST_READ, account_sid, stored(activated_by), stored(now))


async def find_workspace_of_account(tx: Reading, account_sid: str) -> str | None:
    """The workspace that has senders at a provider account."""
    row = await tx.one(_WORKSPACE_OF, account_sid)
    return None if row is None else row[0]


async def stop(tx: Writing, sender_id: str, because: str, now: datetime) -> bool:
    """Hold a sender's queue until the operator has acted; whether that is news."""
    return bool(await tx.run(_STOP, sender_id, stored(now), because))


async def stop_account(tx: Writing, account_sid: str, because: str, now: datetime) -> Sequence[str]:
    """Hold the queues of every sender of an account; the ids of those it is news for."""
    return [row[0] for row in await tx.run(_STOP_ACCOUNT, account_sid, stored(now), because)]


async def resume_stopped_before(tx: Writing, at: datetime) -> None:
    """Let queues that were held before `at` try again."""
    await tx.run(_START_ALL, stored(at))


def _sender(row: Row) -> Sender:
    return Sender(
        id=row[0],
        workspace_id=row[1],
        account_sid=row[2],
        channel=Channel(row[3]),
        address=row[4],
        kind=SenderKind(row[5]),
        messaging_service_sid=row[6],
        keyword_handling=KeywordHandling(row[7]),
        inbound_agent_id=row[8],
        activated_at=instant_or_none(row[9]),
        stopped_at=instant_or_none(row[10]),
        stopped_because=row[11],
        removed_at=instant_or_none(row[12]),
        webhook_seen_at=instant_or_none(row[13]),
        inbound=InboundWay(row[14]),
        foreign_outbound=ForeignOutbound(row[15]),
        past_read_at=instant_or_none(row[16]),
        origin=Origin(row[17]),
        rules=rules.decode(row[18]),
        workspace_rules=NONE if row[19] is None else rules.decode(row[19]),
        prices_revision=row[20],
        pace_per_second=row[21],
        tails=read_tails(row[22]),
    )
