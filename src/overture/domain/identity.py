"""Identity: which addresses are one person, and what becomes of two contacts that turn out to be one.

An address is a number, in all its forms, or WhatsApp's business-scoped user id (BSUID). The provider tells that both
are one person by sending them in one webhook. A BSUID is the stronger sign: it belongs to a person as a business
portfolio sees them, while numbers are given up and given out again. But two portfolios know one person by two BSUIDs,
so only a second one at the *same sender* says that a number has a new owner.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.numbers import is_bsuid, read_address
from overture.domain.variants import canonical

_IN_HAND: Final = (Mode.HUMAN, Mode.PAUSED, Mode.BOT)
"""Whose conversation is kept first: a person has it, a person is wanted, an agent carries it."""


class Address(Struct, frozen=True, kw_only=True):
    """One address of a contact by its key. `met_by` is the sender at which it was met, where that is known.

    `met_at` is when it was first known to be this contact's.
    """

    key: str
    met_at: datetime
    met_by: str | None = None


class Person(Struct, frozen=True, kw_only=True):
    """A contact with everything it is known by, the address it was first known by in front."""

    id: str
    addresses: tuple[Address, ...]

    def find(self, key: str) -> Address | None:
        """One of its addresses."""
        return next((one for one in self.addresses if one.key == key), None)


class Told(Struct, frozen=True, kw_only=True):
    """What a webhook tells: whoever has this number has this BSUID; `at` is when it was written."""

    number: str
    bsuid: str
    sender_id: str
    at: datetime


class Known(Struct, frozen=True, kw_only=True):
    """Nothing is new."""


class Meet(Struct, frozen=True, kw_only=True):
    """Nobody is known by either address: a new contact with both."""


class Link(Struct, frozen=True, kw_only=True):
    """A contact is known by a further address."""

    person_id: str
    key: str


class Merge(Struct, frozen=True, kw_only=True):
    """Two contacts are one person; the older one goes on."""

    stays: str
    goes: str


class PassOn(Struct, frozen=True, kw_only=True):
    """A number has a new owner: `to` who has the BSUID already, None for a new contact."""

    key: str
    of: str
    to: str | None


class Stale(Struct, frozen=True, kw_only=True):
    """The number has passed on since this was written: its writer is whom the BSUID names."""


Verdict: TypeAlias = Known | Meet | Link | Merge | PassOn | Stale


class Thread(Struct, frozen=True, kw_only=True):
    """A thread of one of two contacts that become one; `live` names its live conversation, `mode` who carries it."""

    id: str
    shard: int
    sender_id: str
    contact_id: str
    contact_address: str
    last_inbound_at: datetime | None = None
    last_conversation_id: str | None = None
    live: str | None = None
    mode: Mode | None = None
    epoch: int = 0


class Joined(Struct, frozen=True, kw_only=True):
    """Two threads with one sender become one: `kept` with what both know, and what is given up."""

    kept: Thread
    given_up: Thread


def read(text: str) -> str | None:
    """The key of the address that a text writes: a number in any form, `whatsapp:` or not, or a BSUID; else None."""
    address = read_address(Channel.WHATSAPP, text)
    return None if address is None else canonical(address)


def tell_apart(one: str, other: str) -> tuple[str, str] | None:
    """Two addresses as (number's key, BSUID) where they are one of each, in whatever order; else None."""
    for number, bsuid in ((one, other), (other, one)):
        if is_bsuid(bsuid) and (key := read(number)) is not None and key.startswith("+"):
            return key, bsuid
    return None


def decide(told: Told, by_number: Person | None, by_bsuid: Person | None) -> Verdict:
    """What is to be done about what a webhook tells, given who is known by each of its addresses."""
    if by_number is None:
        return Meet() if by_bsuid is None else Link(person_id=by_bsuid.id, key=told.number)
    if by_bsuid is not None and by_bsuid.id == by_number.id:
        return Known()
    if _is_somebody_else(told, by_number):
        has = by_number.find(told.number)
        if has is not None and told.at < has.met_at:
            return Stale()
        return PassOn(key=told.number, of=by_number.id, to=None if by_bsuid is None else by_bsuid.id)
    if by_bsuid is None:
        return Link(person_id=by_number.id, key=told.bsuid)
    stays, goes = sorted((by_number.id, by_bsuid.id))
    return Merge(stays=stays, goes=goes)


def join(one: Thread, other: Thread) -> Joined:
    """Of two threads with one sender, the one that goes on.

    A person's conversation is kept before an agent's, then the older one: ids are in the order of time. Without any,
    the thread that was written on last. It has the later window, and the form that last wrote.
    """
    kept, given_up = sorted((one, other), key=_rank)
    heard = max((one, other), key=lambda thread: (_heard(thread), thread.id == kept.id))
    return Joined(
        kept=Thread(
            id=kept.id,
            shard=kept.shard,
            sender_id=kept.sender_id,
            contact_id=kept.contact_id,
            contact_address=heard.contact_address,
            last_inbound_at=heard.last_inbound_at,
            last_conversation_id=kept.live or max(filter(None, _last(one, other)), default=None),
            live=kept.live,
            mode=kept.mode,
            epoch=kept.epoch,
        ),
        given_up=given_up,
    )


def opted_out_since(opt_outs: Sequence[datetime | None], opt_ins: Sequence[datetime | None]) -> datetime | None:
    """Since when a person who was two contacts has opted out: the last word counts, whichever of them said it."""
    out, back_in = max(filter(None, opt_outs), default=None), max(filter(None, opt_ins), default=None)
    return None if out is None or (back_in is not None and back_in > out) else out


def _is_somebody_else(told: Told, owner: Person) -> bool:
    """Whether the sender knows a number's owner by another BSUID than the one that comes with the number now."""
    others = (one for one in owner.addresses if is_bsuid(one.key) and one.key != told.bsuid)
    return any(one.met_by == told.sender_id for one in others)


def _rank(thread: Thread) -> tuple[int, str, float, str]:
    carried = len(_IN_HAND) if thread.mode is None else _IN_HAND.index(thread.mode)
    return carried, thread.live or "", -_heard(thread), thread.id


def _heard(thread: Thread) -> float:
    return 0.0 if thread.last_inbound_at is None else thread.last_inbound_at.timestamp()


def _last(one: Thread, other: Thread) -> tuple[str | None, str | None]:
    return one.last_conversation_id, other.last_conversation_id
