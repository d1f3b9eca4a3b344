"""Change consent: an opt-out ends what goes on with the contact and takes back what waits, in its own commit."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from overture.actions.cancel_deliveries import cancel_deliveries
from overture.domain import opt_out
from overture.domain.agent import EndReason
from overture.domain.event import EventKind
from overture.domain.ports import Ids
from overture.store import contacts, conversations, events, opt_outs, threads
from overture.store.engine import Writing


class Change(Struct, frozen=True, kw_only=True):
    """A contact's consent as it is from now on. `source` says who told us, `evidence` with which words.

    `at` is when the contact said so, where that is before now. `of` are the narrower reaches that change, by their keys
    (`domain/opt_out.py`); `whole` is whether the workspace's word on the contact changes. An opt-in that names no
    reaches lifts them all.
    """

    workspace_id: str
    contact_id: str
    contact_key: str
    shard: int
    channel: str
    opted_out: bool
    source: str
    evidence: str
    sender_id: str | None = None
    at: datetime | None = None
    of: tuple[str, ...] = ()
    whole: bool = True
    recorded_by: str | None = None
    purpose: str = "any"
    row_key: str | None = None


async def change_consents(tx: Writing, changes: Sequence[Change], now: datetime, ids: Ids) -> None:
    """Write the ledger, the contacts, and what an opt-out ends. The caller commits."""
    if not changes:
        return
    changes = await _held(tx, changes)
    latest = {(change.workspace_id, change.contact_key): change for change in changes if change.whole}
    await contacts.set_opt_out(
        tx,
        [
            (workspace, key, (change.at or now) if change.opted_out else None)
            for (workspace, key), change in latest.items()
        ],
    )
    await _set_narrow(tx, [change for change in changes if change.of or not change.opted_out], now)
    await contacts.record_changes(tx, [_ledger(change, now, ids) for change in changes], now)
    out = [change for change in latest.values() if change.opted_out]
    narrow = {(change.workspace_id, change.contact_key, change.of): change for change in changes if not change.whole}
    out += [change for change in narrow.values() if change.opted_out]
    await _end_what_goes_on(tx, out, now, ids)
    told = []
    for change in changes:
        kind = EventKind.CONTACT_OPTED_OUT if change.opted_out else EventKind.CONTACT_OPTED_IN
        told.append(
            events.make(ids, kind, change.workspace_id, None, now, contact_id=change.contact_id, source=change.source)
        )
    await events.insert_all(tx, told, now)


async def _held(tx: Writing, changes: Sequence[Change]) -> list[Change]:
    """Changes with the contact that each is of by now: two may have become one since it was read."""
    held = await contacts.hold(tx, [(change.workspace_id, change.contact_key) for change in changes])
    return [
        change
        if (one := held.get((change.workspace_id, change.contact_key))) is None
        else msgspec.structs.replace(
            change, contact_id=one.id, contact_key=one.alias_of or change.contact_key, shard=one.shard
        )
        for change in changes
    ]


async def _set_narrow(tx: Writing, changes: Sequence[Change], now: datetime) -> None:
    """Set and lift the opt-outs that reach less far than the workspace; one change after the other."""
    if not changes:
        return
    before = await opt_outs.lock(tx, [(change.workspace_id, change.contact_key) for change in changes])
    after = {key: dict(opted_out) for key, opted_out in before.items()}
    for change in changes:
        of = after.get((change.workspace_id, change.contact_key))
        if of is None:
            continue
        if change.opted_out:
            of.update(dict.fromkeys(change.of, change.at or now))
        else:
            for key in change.of or list(of):
                of.pop(key, None)
    await opt_outs.set_all(tx, {key: of for key, of in after.items() if of != before[key]})


async def _end_what_goes_on(tx: Writing, out: Sequence[Change], now: datetime, ids: Ids) -> None:
    found = await threads.find_live_of_contacts(tx, [(change.workspace_id, change.contact_id) for change in out])
    reached: dict[tuple[str, str], list[Change]] = {}
    for change in out:
        reached.setdefault((change.workspace_id, change.contact_id), []).append(change)
    live = [one for one in found if any(_reaches(change, one) for change in reached[one.workspace_id, one.contact_id])]
    ends = [(one.workspace_id, one.conversation_id, one.epoch, EndReason.OPT_OUT) for one in live]
    await conversations.end_all(tx, ends, now)
    waiting = [(one.thread_id, one.conversation_id, one.epoch) for one in live]
    await cancel_deliveries(tx, waiting, now, ids, reason="recipient_opted_out")
    ended = [
        events.make(
            ids,
            EventKind.CONVERSATION_ENDED,
            one.workspace_id,
            one.conversation_id,
            now,
            reason=EndReason.OPT_OUT.value,
        )
        for one in live
    ]
    await events.insert_all(tx, ended, now)


def _reaches(change: Change, live: threads.Live) -> bool:
    return change.whole or not set(change.of).isdisjoint(opt_out.keys_over(live.sender_id, live.service_sid))


def _ledger(change: Change, now: datetime, ids: Ids) -> contacts.ConsentChange:
    return contacts.ConsentChange(
        id=ids.new(now, change.shard),
        shard=change.shard,
        workspace_id=change.workspace_id,
        contact_id=change.contact_id,
        sender_id=change.sender_id,
        channel=change.channel,
        change="opt_out" if change.opted_out else "opt_in",
        source=change.source,
        evidence=change.evidence,
        at=change.at or now,
        recorded_by=change.recorded_by,
        purpose=change.purpose,
        row_key=change.row_key,
    )
