"""Record what somebody tells of contacts' consent; an opt-out ends what goes on, in the same commit, as a STOP does.

A row that was taken before changes nothing. Rows are taken in their order: of two about one contact the later one
counts.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.actions import change_consent
from overture.domain import consent_row, opt_out
from overture.domain.channel import Channel
from overture.domain.consent_row import ConsentChange, Row, Standing
from overture.domain.errors import Refusal, Unknown
from overture.domain.ids import shard_for
from overture.domain.opt_out import OptOutScope
from overture.domain.ports import Ids
from overture.store import consents, contacts, opt_outs, rules, senders
from overture.store.contacts import Held
from overture.store.engine import Reading, Writing
from overture.store.senders import Sender

ANY: Final = "any"


class Taken(StrEnum):
    """What became of a row."""

    RECORDED = "recorded"
    KNOWN = "known"


class _Told(Struct, frozen=True, kw_only=True):
    """A row on its way into the ledger, with the contact and the sender that it names."""

    n: int
    row: Row
    key: str
    contact: Held
    first_address: str
    sender: Sender | None


async def record_consents(
    tx: Writing, workspace_id: str, rows: Sequence[Row], now: datetime, ids: Ids, recorded_by: str | None
) -> list[Taken | Refusal]:
    """Take rows in their order, each answered for itself. The caller commits."""
    answers: list[Taken | Refusal] = [Taken.RECORDED] * len(rows)
    left = await _sort_out(tx, workspace_id, rows, now, answers)
    scope = (await rules.get_of_workspace(tx, workspace_id)).opt_out_scope or OptOutScope.WORKSPACE
    found = await _find_senders(tx, workspace_id, [rows[n] for n in left])
    told = await _meet(tx, workspace_id, [(n, rows[n]) for n in left], found, now, ids)
    for one in told:
        if one.row.sender is not None and one.sender is None:
            answers[one.n] = _unknown_sender(one.row)
    told = [one for one in told if answers[one.n] is Taken.RECORDED]
    writer = _Writer(workspace_id, scope, now, ids, recorded_by)
    while told:
        this_round, told = _apart(told)
        answers_of = await writer.write(tx, this_round)
        for n, refused in answers_of.items():
            answers[n] = refused
    return answers


async def check_consents(tx: Reading, workspace_id: str, rows: Sequence[Row], now: datetime) -> list[Taken | Refusal]:
    """What `record_consents` would answer, each row for itself; nothing is written."""
    answers: list[Taken | Refusal] = [Taken.RECORDED] * len(rows)
    left = await _sort_out(tx, workspace_id, rows, now, answers)
    found = await _find_senders(tx, workspace_id, [rows[n] for n in left])
    standings = await consents.find_standings(tx, [(workspace_id, rows[n].address) for n in left])
    for n in left:
        row = rows[n]
        sender = found.get((row.sender or "", row.channel))
        if row.sender is not None and sender is None:
            answers[n] = _unknown_sender(row)
        elif (known := standings.get((workspace_id, row.address))) is not None:
            refused = consent_row.refuse_opt_in(row, _seen_from(known, sender))
            answers[n] = refused or answers[n]
    return answers


class _Writer:
    """Writes rounds of rows, in each of which a contact comes once at most."""

    def __init__(self, workspace_id: str, scope: OptOutScope, now: datetime, ids: Ids, recorded_by: str | None) -> None:
        self._workspace_id: Final = workspace_id
        self._scope: Final = scope
        self._now: Final = now
        self._ids: Final = ids
        self._recorded_by: Final = recorded_by

    async def write(self, tx: Writing, told: Sequence[_Told]) -> dict[int, Refusal]:
        """Write a round; the rows that are refused after all."""
        refused: dict[int, Refusal] = {}
        changes: list[change_consent.Change] = []
        lines: list[contacts.ConsentChange] = []
        turning = [one for one in told if one.row.change in (ConsentChange.OPT_IN, ConsentChange.OPT_OUT)]
        keys = [(self._workspace_id, one.first_address) for one in turning]
        await opt_outs.lock(tx, keys)  # whoever opts out meanwhile has been, or waits
        standings = await consents.find_standings(tx, keys)
        for one in told:
            known = standings.get((self._workspace_id, one.first_address))
            standing = Standing() if known is None else _seen_from(known, one.sender)
            if (no := consent_row.refuse_opt_in(one.row, standing)) is not None:
                refused[one.n] = no
            elif one in turning and not consent_row.is_overtaken(one.row, standing):
                changes.append(self._change(one))
            else:
                lines.append(self._line(one))
        await contacts.record_changes(tx, lines, self._now)
        await change_consent.change_consents(tx, changes, self._now, self._ids)
        return refused

    def _change(self, one: _Told) -> change_consent.Change:
        row, sender = one.row, one.sender
        out = row.change is ConsentChange.OPT_OUT
        of: tuple[str, ...] = ()
        whole = True
        if sender is not None and out:
            key = opt_out.key_of(self._scope, sender.id, sender.messaging_service_sid)
            of, whole = ((), True) if key is None else ((key,), False)
        elif sender is not None:
            of = opt_out.keys_over(sender.id, sender.messaging_service_sid)
        return change_consent.Change(
            workspace_id=self._workspace_id,
            contact_id=one.contact.id,
            contact_key=one.first_address,
            shard=one.contact.shard,
            channel=row.channel,
            opted_out=out,
            source=row.source,
            evidence=row.evidence,
            sender_id=None if sender is None else sender.id,
            at=row.at,
            of=of,
            whole=whole,
            recorded_by=self._recorded_by,
            purpose=row.purpose or ANY,
            row_key=one.key,
        )

    def _line(self, one: _Told) -> contacts.ConsentChange:
        return contacts.ConsentChange(
            id=self._ids.new(self._now, one.contact.shard),
            shard=one.contact.shard,
            workspace_id=self._workspace_id,
            contact_id=one.contact.id,
            sender_id=None if one.sender is None else one.sender.id,
            channel=one.row.channel,
            change=one.row.change.value,
            source=one.row.source,
            evidence=one.row.evidence,
            at=one.row.at or self._now,
            purpose=one.row.purpose or ANY,
            recorded_by=self._recorded_by,
            row_key=one.key,
        )


async def _sort_out(
    tx: Reading, workspace_id: str, rows: Sequence[Row], now: datetime, answers: list[Taken | Refusal]
) -> list[int]:
    """Answer what is known already or wrong in itself; the numbers of the other rows."""
    keys = [consent_row.row_key(row) for row in rows]
    taken = await consents.find_row_keys(tx, workspace_id, keys)
    left = []
    for n, row in enumerate(rows):
        if keys[n] in taken:
            answers[n] = Taken.KNOWN
        elif (refused := consent_row.refuse(row, now)) is not None:
            answers[n] = refused
        else:
            taken.add(keys[n])
            left.append(n)
    return left


async def _find_senders(tx: Reading, workspace_id: str, rows: Sequence[Row]) -> dict[tuple[str, str], Sender]:
    """The senders that rows name, by (number, channel); of a row for any channel the one there is."""
    numbers = sorted({row.sender for row in rows if row.sender is not None})
    found = await senders.find_by_number(tx, [(workspace_id, number) for number in numbers]) if numbers else {}
    by_name: dict[tuple[str, str], Sender] = {}
    for (_, number), by_channel in found.items():
        for channel, sender in by_channel.items():
            by_name[number, channel.value] = sender
        if len(by_channel) == 1:
            by_name[number, ANY] = next(iter(by_channel.values()))
    return by_name


async def _meet(
    tx: Writing,
    workspace_id: str,
    rows: Sequence[tuple[int, Row]],
    found: Mapping[tuple[str, str], Sender],
    now: datetime,
    ids: Ids,
) -> list[_Told]:
    """The rows with their contacts, held until the commit; a contact nobody has met is made."""
    new = {}
    for _, row in rows:
        shard = shard_for(workspace_id, row.address)
        new[row.address] = contacts.NewContact(
            workspace_id=workspace_id, address=row.address, id=ids.new(now, shard), shard=shard
        )
    await contacts.insert_new(tx, list(new.values()), now)
    held = await contacts.hold(tx, [(workspace_id, address) for address in new])
    told = []
    for n, row in rows:
        contact = held[workspace_id, row.address]
        told.append(
            _Told(
                n=n,
                row=row,
                key=consent_row.row_key(row),
                contact=contact,
                first_address=contact.alias_of or row.address,
                sender=None if row.sender is None else found.get((row.sender, row.channel)),
            )
        )
    return told


def _apart(told: Sequence[_Told]) -> tuple[list[_Told], list[_Told]]:
    """Split into one row a contact, and the rest that must see what it changed."""
    touched: set[str] = set()
    now: list[_Told] = []
    later: list[_Told] = []
    for one in told:
        (later if one.contact.id in touched else now).append(one)
        touched.add(one.contact.id)
    return now, later


def _seen_from(known: consents.Stood, sender: Sender | None) -> Standing:
    """How a contact stands to a sender; where none is named, by the latest of all its opt-outs."""
    if sender is not None:
        service = sender.messaging_service_sid
        since = opt_out.since(known.opted_out_at, known.opted_out_of, sender.id, service)
    else:
        every = [*known.opted_out_of.values(), *(() if known.opted_out_at is None else (known.opted_out_at,))]
        since = max(every, default=None)
    return Standing(opted_out_at=since, opted_in_at=known.opted_in_at)


def _unknown_sender(row: Row) -> Refusal:
    where = "" if row.channel == ANY else f" on {Channel(row.channel).value}"
    return Unknown(
        "sender_unknown",
        f"sender is no activated sender of this workspace{where}.",
        field="sender",
        hint="GET /overture/v1/senders lists them; leave it out where the row is about all of them.",
    )
