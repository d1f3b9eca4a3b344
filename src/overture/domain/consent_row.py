"""One row of consent as somebody tells it: a form, a list of another system, a person at the telephone.

Who tells us may say that a contact agreed, or wants to hear nothing more; that is believed. That a contact who opted
out wants to hear from us again is for the contact to say: a row does only with the contact's words, said after the
opt-out, and with the assurance that the contact itself asked.
"""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.errors import Invalid, NotAllowed, Refusal

_AHEAD: Final = timedelta(minutes=5)  # clocks of two systems differ; further on is a mistake in the list


class ConsentChange(StrEnum):
    """What a line of the ledger changes."""

    GRANT = "grant"
    REVOKE = "revoke"
    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    EVIDENCE = "evidence"


class Row(Struct, frozen=True, kw_only=True):
    """What is told of a contact; `address` is the key it is known by, `sender` one of our numbers.

    `asked_by_contact` assures that an opt-in is the contact's own wish. `key` is what the row is known again by.
    """

    address: str
    channel: str
    change: ConsentChange
    purpose: str
    source: str
    evidence: str
    at: datetime | None = None
    sender: str | None = None
    asked_by_contact: bool = False
    key: str | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """How a contact stands when a row is told: since when it is opted out, and when it last opted in itself."""

    opted_out_at: datetime | None = None
    opted_in_at: datetime | None = None


def row_key(row: Row) -> str:
    """What a row is known again by: the key that it brings, else its whole content."""
    if row.key is not None:
        return "key " + row.key
    told = msgspec.json.encode(row, order="deterministic")
    return "sha256 " + sha256(told).hexdigest()


def refuse(row: Row, now: datetime) -> Refusal | None:
    """Why a row cannot be taken, whoever it is of."""
    if row.at is not None and row.at > now + _AHEAD:
        return Invalid(
            "at_in_future", "at lies in the future.", field="at", hint="Give the time at which it happened, with zone."
        )
    if row.change is ConsentChange.GRANT and not row.purpose:
        return Invalid(
            "purpose_missing",
            "A grant must say what for.",
            field="purpose",
            hint="marketing, transactional, another word of yours, or any where the person agreed to everything.",
        )
    if row.change is not ConsentChange.OPT_IN:
        return None
    if not row.asked_by_contact:
        return NotAllowed(
            "opt_in_not_asked",
            "Only the contact itself can opt in again.",
            field="asked_by_contact",
            hint="Set asked_by_contact where the contact asked for it, and give its words and when it said them.",
        )
    if not row.evidence.strip():
        return Invalid(
            "evidence_missing", "An opt-in needs evidence.", field="evidence", hint="Give the contact's own words."
        )
    if row.at is None:
        return Invalid("at_missing", "An opt-in needs its time.", field="at", hint="Say when the contact asked for it.")
    return None


def refuse_opt_in(row: Row, standing: Standing) -> Refusal | None:
    """Why an opt-in does not lift what a contact said: its evidence is older than the opt-out."""
    if row.change is not ConsentChange.OPT_IN or standing.opted_out_at is None:
        return None
    assert row.at is not None
    if row.at > standing.opted_out_at:
        return None
    return NotAllowed(
        "opt_in_too_old",
        "The contact opted out after this opt-in.",
        field="at",
        hint="The last word counts. Where the contact asked again since, give those words and their time.",
    )


def is_overtaken(row: Row, standing: Standing) -> bool:
    """Whether an opt-out is older than the contact's own wish to hear from us again: it is kept, and ends nothing."""
    return (
        row.change is ConsentChange.OPT_OUT
        and row.at is not None
        and standing.opted_in_at is not None
        and row.at < standing.opted_in_at
    )
