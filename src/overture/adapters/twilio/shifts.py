"""Requests that Twilio's signature cannot tell apart, told apart.

The signed text is names and values without separators, so a valid signature also fits other forms with the same text:
`A=1B2` and `A=1&B=2`. Who got hold of one signed request could move a boundary: hide a field in its neighbour, or make
a field of what a contact wrote. Three things stand against that: a form must have what it needs once and in form; the
SID that tells events apart may occur nowhere else in the signed text; no field that we read, nor one that stands
beside free text in the order of names, may be missing while the signed text holds it; and a count is nothing but one.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

Guard: TypeAlias = Mapping[str, re.Pattern[str]]

_SID_NAME: Final = "MessageSid"
_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")
_SID_ANYWHERE: Final = re.compile(r"MessageSid(?:SM|MM)[0-9a-f]{32}")

_SOMETHING: Final = r"""(?![\s"=:.,;!?)]|$)"""
"""A value begins: not what follows a name in JSON, nor in a sentence about it."""


def _guard(**follows: str) -> Guard:
    return {name: re.compile(name + beginning) for name, beginning in follows.items()}


INBOUND: Final = _guard(
    ApiVersion=r"\d",
    Body="",
    ButtonPayload=_SOMETHING,
    ButtonText=_SOMETHING,
    ButtonType="[A-Z]",
    ChannelMetadata=r"\{",
    ExternalUserId=r"\w",
    Forwarded="(?:true|false)",
    FrequentlyForwarded="(?:true|false)",
    Latitude=r"-?\d",
    ListId=_SOMETHING,
    ListTitle=_SOMETHING,
    Longitude=r"-?\d",
    MessageType="[a-z]",
    NumMedia=r"\d",
    OptOutType="(?:STOP|START|HELP)",
    OriginalRepliedMessageSid="(?:SM|MM)",
    ProfileName=_SOMETHING,
    ReferralBody=_SOMETHING,
    ReferralCtwaClid=_SOMETHING,
    ReferralHeadline=_SOMETHING,
    ReferralMediaContentType=r"\w",
    ReferralMediaId=r"\w",
    ReferralMediaUrl="https?:",
    ReferralNumMedia=r"\d",
    ReferralSourceId=r"\w",
    ReferralSourceType="[a-z]",
    ReferralSourceUrl="https?:",
)
"""What may not hide in an inbound message, by name, with how its value begins."""

_PLACE: Final = _guard(Address=_SOMETHING, Label=_SOMETHING)
"""The same for a message with a location; elsewhere these are words that people write."""

_WHOLE: Final = {
    "ErrorCode": re.compile(r"\d{0,6}"),
    "MessageType": re.compile("[a-z_]{0,32}"),
    "NumMedia": re.compile(r"\d{0,2}"),
    "ReferralNumMedia": re.compile(r"\d{0,2}"),
}
"""Fields with a form that leaves no room for a neighbour."""

_NUMBERED: Final = ("MediaUrl", "MediaContentType")

STATUS: Final = _guard(ErrorCode=r"\d", MessageStatus="[a-z]")
"""What may not hide in a status callback."""


def is_shifted(fields: Mapping[str, str], pairs: Sequence[tuple[str, str]], signed_tail: str, guard: Guard) -> bool:
    """Whether a form may be another one's signed text, cut elsewhere. `signed_tail` is what it adds to the text."""
    if signed_tail.count(_SID_NAME) != sum(map(_ends_with_sid_name, fields)) and _hides_a_sid(pairs):
        return True
    if any(name in fields and not form.fullmatch(fields[name]) for name, form in _WHOLE.items()):
        return True
    if any(name in signed_tail and name not in fields for name in _media_names(fields.get("NumMedia") or "0")):
        return True
    for name, as_field in guard.items():
        if name in signed_tail and name not in fields and _is_hidden(name, as_field, pairs, signed_tail):
            return True
    return guard is not _PLACE and "Latitude" in fields and is_shifted(fields, pairs, signed_tail, _PLACE)


def _media_names(count: str) -> list[str]:
    """The fields that so many media have."""
    return [f"{name}{n}" for n in range(int(count)) for name in _NUMBERED]


def _ends_with_sid_name(name: str) -> bool:
    return name.endswith(_SID_NAME)


def _hides_a_sid(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether a SID with the name that makes it one stands inside a field, rather than being one."""
    inside = [(name, value) for name, value in pairs if _SID_ANYWHERE.search(name + value)]
    return not all(_ends_with_sid_name(name) and _SID.fullmatch(value) for name, value in inside)


def _is_hidden(name: str, as_field: re.Pattern[str], pairs: Sequence[tuple[str, str]], signed_tail: str) -> bool:
    """Whether a missing field stands in the signed text other than as the end of a longer name (ReferralBody)."""
    longer = sum(1 for other, _ in pairs if len(other) > len(name) and other.endswith(name) and other.isalpha())
    return len(as_field.findall(signed_tail)) > longer
