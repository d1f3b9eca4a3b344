"""Whether somebody agreed to be written to first: what the ledger says, for rules that ask (`require_consent`).

A grant counts for its channel, or for all (`any`), and for its purpose, or for all (`any`), until a revocation of the
same reach takes it back. Who wrote to us on a channel, or asked with START to hear from us again, may be answered there
and told what is informational; marketing needs a grant that says so. A contact's opt-out is another matter: it
refuses, whatever was granted.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Protocol

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.errors import NotAllowed
from overture.domain.rules import Applying, RequireConsent

ANY: Final = "any"
MARKETING: Final = "marketing"
WARNING: Final = "consent_missing"

_STRICTNESS: Final = (RequireConsent.OFF, RequireConsent.WARN, RequireConsent.ENFORCE)
_ONE_WORD: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class Said(Struct, frozen=True, kw_only=True):
    """A line of a contact's ledger that bears on this: a grant, a revoke, or an opt_in."""

    change: str
    channel: str
    purpose: str
    at: datetime


class Known(Struct, frozen=True, kw_only=True):
    """What is known of a contact; `heard` is when it last wrote, by channel."""

    said: tuple[Said, ...] = ()
    heard: Mapping[str, datetime] = {}


class Reached(Protocol):
    """Who is to be written to."""

    @property
    def opted_out_at(self) -> datetime | None:
        """Since when it may not be."""


NOTHING: Final = Known()


def required(rules: Applying) -> RequireConsent:
    """The strictest of the rules that apply."""
    asked = [rule.require_consent or RequireConsent.OFF for _, rule in rules.each]
    return max(asked, key=_STRICTNESS.index, default=RequireConsent.OFF)


def purpose_of(purpose: str) -> str | None:
    """An agent's purpose as a word of the ledger; None where it is a description, which no grant can name."""
    word = purpose.strip().casefold()
    return word if _ONE_WORD.fullmatch(word) else None


def is_given(known: Known, channel: Channel, purpose: str | None, evidence: Mapping[str, object] | None) -> bool:
    """Whether a contact agreed to hear from us on a channel for a purpose; `evidence` is what the call itself brings.

    Without a purpose whatever was granted on the channel counts.
    """
    taken_back = [one for one in known.said if one.change == "revoke" and _reaches(one.channel, channel.value)]
    if evidence is not None and _is_newer(evidence.get("at"), _over(taken_back, purpose)):
        return True
    for one in known.said:
        if one.change != "grant" or not _reaches(one.channel, channel.value) or not _serves(one.purpose, purpose):
            continue
        if not any(back.at >= one.at for back in _over(taken_back, one.purpose, purpose)):
            return True
    if purpose == MARKETING:
        return False
    asked_for = [one.at for one in known.said if one.change == "opt_in" and one.channel == channel.value]
    asked_for += [at for name, at in known.heard.items() if name == channel.value]
    return any(all(back.at < at for back in _over(taken_back, purpose)) for at in asked_for)


def refuse(channel: Channel, contact: Reached | None, lacks: RequireConsent) -> NotAllowed | None:
    """Why somebody must not be written to, where a call may not open a conversation for lack of consent."""
    if contact is not None and contact.opted_out_at is not None:
        return NotAllowed(
            "recipient_opted_out",
            "The recipient has opted out and must not be written to.",
            field="to_number",
            hint="Only the recipient can lift this, by writing START.",
        )
    if lacks is not RequireConsent.ENFORCE:
        return None
    return NotAllowed(
        "consent_missing",
        f"Nothing says that the recipient agreed to be written to on {channel}.",
        field="consent",
        hint="Give consent {source, text, at} with the call, or record a grant at /overture/v1/consents first.",
    )


def warnings(lacks: RequireConsent) -> tuple[str, ...]:
    """What the caller of an accepted opening is warned of, by code."""
    return (WARNING,) if lacks is RequireConsent.WARN else ()


def _reaches(of: str, channel: str) -> bool:
    return of in (channel, ANY)


def _serves(granted: str, purpose: str | None) -> bool:
    return purpose is None or granted in (purpose, ANY)


def _over(taken_back: Iterable[Said], *purposes: str | None) -> list[Said]:
    """The revocations that reach any of some purposes; one of everything reaches all."""
    return [one for one in taken_back if one.purpose == ANY or one.purpose in purposes]


def _is_newer(at: object, taken_back: Iterable[Said]) -> bool:
    """Whether evidence is newer than every revocation: what bears no date was given now."""
    if not isinstance(at, str):
        return True
    given = datetime.fromisoformat(at)
    return all(one.at < given for one in taken_back)
