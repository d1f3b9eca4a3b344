"""Handle kept webhooks: what was kept is parsed, its facts are written, and it is marked as done, in one commit."""

from datetime import datetime
from typing import Final

import msgspec

from overture.actions import receive_message, record_delivery
from overture.domain import retry
from overture.domain.errors import Invalid
from overture.domain.event import EventKind
from overture.domain.ports import Ids, Inbound, StatusReport, WebhookParser
from overture.domain.reply_time import QuietTimes
from overture.store import events, inbox, senders
from overture.store.engine import Writing

BATCH: Final = 64


async def handle_inbox(
    tx: Writing, now: datetime, ids: Ids, parser: WebhookParser, quiet: QuietTimes, *, limit: int = BATCH
) -> int:
    """Handle what is due, at most `limit`; how many. The caller commits; when it raises, nothing was handled.

    Of each ordering key only the first is taken, so while anything was handled, more may be waiting.
    """
    kept = await inbox.lock_due(tx, now, limit)
    handled: list[inbox.Handled] = []
    messages: list[tuple[inbox.Kept, Inbound]] = []
    reports: list[tuple[inbox.Kept, StatusReport]] = []
    for one in kept:
        try:
            if one.event.kind != "status":  # inbound, or recovered
                parsed = parser.parse_inbound(one.event)
                messages.append((one, msgspec.structs.replace(parsed, received_at=one.received_at)))
            else:
                reports.append((one, parser.parse_status(one.event)))
        except Invalid as unreadable:
            handled.append(await _park(tx, one, unreadable.description, now, ids))
    received = await receive_message.receive_messages(tx, [m for _, m in messages], now, ids, quiet)
    for (one, _), what in zip(messages, received, strict=True):
        handled.append(_handled(one, "done" if what.routed else "unrouted", what.outcome, what.workspace_id))
    recorded = await record_delivery.record_deliveries(tx, [r for _, r in reports], now, ids)
    handled += [_handled(one, "done", what) for (one, _), what in zip(reports, recorded, strict=True)]
    await inbox.finish(tx, handled)
    return len(kept)


async def put_off(tx: Writing, now: datetime, ids: Ids, wrong: str) -> None:
    """After a webhook could not be handled alone: try it later, or park it with its traceback."""
    for one in await inbox.lock_due(tx, now, 1):
        if one.tries + 1 >= retry.POISON_TRIES:
            await inbox.finish(tx, [await _park(tx, one, wrong, now, ids)])
        else:
            await inbox.try_again(tx, [(one.id, one.shard, now + retry.delay(one.tries + 4))])


async def _park(tx: Writing, one: inbox.Kept, why: str, now: datetime, ids: Ids) -> inbox.Handled:
    """Keep a webhook that nothing can be made of for a person, and tell that it is there."""
    workspace_id = await senders.find_workspace_of_account(tx, one.event.account_sid)
    if workspace_id is not None:
        parked = events.make(ids, EventKind.INBOUND_PARKED, workspace_id, None, now, inbox_id=one.id)
        await events.insert_all(tx, [parked], now)
    return _handled(one, "parked", why, workspace_id)


def _handled(one: inbox.Kept, state: str, outcome: str, workspace_id: str | None = None) -> inbox.Handled:
    return inbox.Handled(id=one.id, shard=one.shard, state=state, outcome=outcome, workspace_id=workspace_id)
