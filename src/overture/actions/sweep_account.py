"""Sweep an account: keep what its list has and we do not, and note what became of our own messages.

Kept page by page, newest first, and held; the last commit releases all of it, oldest first, and sets the mark.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Final

from msgspec import Struct

from overture.actions import keep_past
from overture.actions.record_delivery import record_deliveries
from overture.actions.settle_prices import settle_prices
from overture.domain import sweep
from overture.domain.channel import split_address
from overture.domain.errors import Failure, Invalid
from overture.domain.event import EventKind
from overture.domain.ids import shard_for, uuid7
from overture.domain.ports import Ids, ProviderMessage, RawEvent, StatusReport, WebhookParser
from overture.store import accounts, events, recovered, senders, sweeps
from overture.store.engine import Writing
from overture.store.recovered import Recovered
from overture.store.senders import Sender

HOLD: Final = timedelta(minutes=10)
"""How long what is found waits for the end of its walk: longer than one takes, and short enough where it breaks off."""

HOLD_WHILE_OPEN: Final = timedelta(minutes=1)
"""The same where messages leave meanwhile: what its contact writes next waits behind it, and may be a STOP."""

_LAST_PLACE: Final = 0xFFFF_FFFF


class Kept(Struct, frozen=True, kw_only=True):
    """What a page brought: messages that nobody had, and records that nothing can be made of."""

    messages: int = 0
    unreadable: int = 0


async def keep_found(
    tx: Writing,
    account_sid: str,
    found: Sequence[tuple[int, ProviderMessage]],
    parser: WebhookParser,
    now: datetime,
    ids: Ids,
    *,
    hold: timedelta = HOLD,
    leaves_young: bool = False,
) -> Kept:
    """Keep the messages of a page, each with its place in the list, held so long at most. The caller commits.

    Only what was written to a sender that is polled or whose webhooks reach us, by somebody who is not one of our
    senders: whose messages go elsewhere, or have yet to come to us for the first time, is not ours to answer. Of any
    active sender what is older than its activation is kept, for its windows and consent. `leaves_young` leaves to a
    webhook what it may still bring.
    """
    ours = await senders.list_of_account(tx, account_sid)
    await keep_past.keep_past(tx, ours, found, now)
    own = {(sender.channel, sender.address): sender for sender in ours}
    new: list[Recovered] = []
    unreadable = 0
    for place, message in found:
        sender = own.get(split_address(message.to))
        if not message.inbound or sender is None or split_address(message.sender) in own:
            continue
        if not _is_kept(sender, message, now, leaves_young=leaves_young):
            continue
        try:
            event = parser.recover(account_sid, message)
        except Invalid:
            unreadable += 1
        else:
            new.append(_recovered(event, place, min(message.created_at, now)))
    known = await recovered.find_known(tx, account_sid, [one.event.unique_key for one in new])
    kept = await recovered.hold(tx, [one for one in new if one.event.unique_key not in known], now + hold)
    reports = [_report(account_sid, message) for _, message in found if not message.inbound]
    if reports:
        await record_deliveries(tx, reports, now, ids)
    await settle_prices(tx, account_sid, [message for _, message in found])
    return Kept(messages=kept, unreadable=unreadable)


async def complete_sweep(
    tx: Writing, account_sid: str, *, began_at: datetime, up_to: datetime | None, now: datetime, activates: bool = False
) -> None:
    """Release what was kept, and set the mark, in the commit of the last page. The caller commits.

    `activates` where it read the past of the senders that were activated before it began.
    """
    await accounts.add_of_senders(tx, account_sid, now)
    await recovered.release(tx, account_sid, now)
    await sweeps.mark(tx, account_sid, began_at, up_to, now)
    if activates:
        await senders.mark_past_read(tx, account_sid, began_at, now)


async def tell_failing(tx: Writing, account_sid: str, why: Failure, since: datetime, now: datetime, ids: Ids) -> None:
    """Tell that an account's queue stays shut because its list cannot be read. The caller commits."""
    workspaces = sorted({sender.workspace_id for sender in await senders.list_of_account(tx, account_sid)})
    told = [
        events.make(
            ids,
            EventKind.SWEEP_FAILED,
            workspace_id,
            None,
            now,
            account_sid=account_sid,
            since=since.isoformat(),
            code=why.code,
            description=f"Nothing is sent: what came in meanwhile cannot be read. {why.description}",
            hint=why.hint,
        )
        for workspace_id in workspaces
    ]
    await events.insert_all(tx, told, now)


def _is_kept(sender: Sender, message: ProviderMessage, now: datetime, *, leaves_young: bool) -> bool:
    if not sender.listens:
        return sender.past_read_at is None and sender.precedes(min(message.created_at, now))
    return not leaves_young or sender.is_polled or not sweep.is_young(message.created_at, now)


def _recovered(event: RawEvent, place: int, received_at: datetime) -> Recovered:
    """A message with an id of its own instant.

    Twilio's times are whole seconds; within one the place in the list tells the order. The same message has the same
    id whoever finds it, as long as nothing newer was listed meanwhile.
    """
    shard = shard_for(event.account_sid, event.ordering_key)
    rank = _LAST_PLACE - min(place, _LAST_PLACE)
    tail = int.from_bytes(blake2b(event.unique_key.encode(), digest_size=4).digest())
    milliseconds = max(0, int(received_at.timestamp() * 1000))
    an_id = uuid7(milliseconds, rank << 32 | tail, shard)
    return Recovered(id=an_id, shard=shard, event=event, received_at=received_at)


def _report(account_sid: str, message: ProviderMessage) -> StatusReport:
    return StatusReport(sid=message.sid, account_sid=account_sid, status=message.status, error_code=message.error_code)
