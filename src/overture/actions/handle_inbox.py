"""Handle kept webhooks: what was kept is parsed, its facts are written, and it is marked as done, in one commit."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.actions import receive_message, record_delivery
from overture.domain import retry
from overture.domain.errors import Invalid
from overture.domain.event import EventKind
from overture.domain.listening import Listening
from overture.domain.ports import Ids, Inbound, StatusReport, WebhookParser
from overture.store import events, inbox, senders
from overture.store.engine import Writing

BATCH: Final = 64


async def handle_inbox(
    tx: Writing, now: datetime, ids: Ids, parser: WebhookParser, listening: Listening, *, limit: int = BATCH
) -> int:
    """Handle what is due, at most `limit`; how many. The caller commits; when it raises, nothing was handled.

    Of each ordering key only the first is taken, so while anything was handled, more may be waiting.
    """
    kept = await inbox.lock_due(tx, now, limit)
    await _handle(tx, kept, now, ids, parser, listening)
    return len(kept)


async def handle_webhook(
    tx: Writing, key: tuple[str, int], now: datetime, ids: Ids, parser: WebhookParser, listening: Listening
) -> None:
    """Handle one by its (id, shard), unless another worker has it. The caller commits."""
    one = await inbox.lock_one(tx, key, now)
    if one is not None:
        await _handle(tx, [one], now, ids, parser, listening)


async def put_off_webhook(tx: Writing, key: tuple[str, int], told: str, now: datetime, ids: Ids) -> bool:
    """Leave one that could not be handled alone for later, or for a person; `told` is the end of a traceback.

    Whether a person is to look at it now: it keeps its body. Where another worker has seen to it meanwhile, nothing is
    done. The caller commits.
    """
    one = await inbox.lock_one(tx, key, now)
    if one is None:
        return False
    if one.tries + 1 < retry.POISON_TRIES:
        await inbox.try_again(tx, [(one.id, one.shard, now + retry.poison_delay(one.tries))])
        return False
    await inbox.finish(tx, [await _park(tx, one, told, now, ids)])
    return True


async def _handle(
    tx: Writing, kept: Sequence[inbox.Kept], now: datetime, ids: Ids, parser: WebhookParser, listening: Listening
) -> None:
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
    received = await receive_message.receive_messages(tx, [m for _, m in messages], now, ids, listening)
    for (one, _), what in zip(messages, received, strict=True):
        handled.append(_handled(one, "done" if what.routed else "unrouted", what.outcome, what.workspace_id))
    recorded = await record_delivery.record_deliveries(tx, [r for _, r in reports], now, ids)
    handled += [_handled(one, "done", what) for (one, _), what in zip(reports, recorded, strict=True)]
    await inbox.finish(tx, handled)


async def _park(tx: Writing, one: inbox.Kept, why: str, now: datetime, ids: Ids) -> inbox.Handled:
    """Keep a webhook that nothing can be made of for a person, and tell that it is there."""
    workspace_id = await senders.find_workspace_of_account(tx, one.event.account_sid)
    if workspace_id is not None:
        parked = events.make(ids, EventKind.INBOUND_PARKED, workspace_id, None, now, inbox_id=one.id)
        await events.insert_all(tx, [parked], now)
    return _handled(one, "parked", why, workspace_id)


def _handled(one: inbox.Kept, state: str, outcome: str, workspace_id: str | None = None) -> inbox.Handled:
    return inbox.Handled(id=one.id, shard=one.shard, state=state, outcome=outcome, workspace_id=workspace_id)
