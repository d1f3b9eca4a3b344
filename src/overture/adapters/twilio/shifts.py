"""Requests that Twilio's signature cannot tell apart, told apart.

The signed text is names and values without separators, so a valid signature also fits other forms with the same text:
`A=1B2` and `A=1&B=2`. Who got hold of one signed request could move a boundary: hide a field in its neighbour's value,
or make a field of what a contact wrote. Three things stand against that: a form must have what it needs once and in
form; the SID that tells events apart may occur nowhere else in the signed text; and no field that we read may be
missing while the signed text holds it.
"""

import re
from collections.abc import Mapping
from typing import Final

_SID_NAME: Final = "MessageSid"
_SID_FIELD: Final = re.compile(r"[A-Za-z]*MessageSid(?:SM|MM)[0-9a-f]{32}")
_SID_ANYWHERE: Final = re.compile(r"MessageSid(?:SM|MM)[0-9a-f]{32}")

_READ: Final = {
    name: re.compile(name + follows)
    for name, follows in {
        # what we read, and what stands beside it in the order of names; a JSON value may hold the names as keys
        "AccountSid": "AC",
        "Address": r"(?=\S)(?![:,;.!?)\"'])",
        "ApiVersion": r"\d",
        "Body": "",
        "ButtonPayload": '(?!")',
        "ButtonText": '(?!")',
        "ButtonType": r"(?:REPLY|ACTION|\w)",
        "ChannelMetadata": r"\{",
        "ErrorCode": r"\d",
        "ExternalUserId": r"\w",
        "Forwarded": "(?:true|false)",
        "From": r"(?:\+|whatsapp:|\d)",
        "Label": r"(?=\S)(?![:,;.!?)\"'])",
        "Latitude": r"-?\d",
        "ListTitle": '(?!")',
        "Longitude": r"-?\d",
        "MediaContentType": r"\d",
        "MediaUrl": r"\d",
        "MessageStatus": "[a-z]",
        "MessageType": "[a-z]",
        "NumMedia": r"\d",
        "OptOutType": "(?:STOP|START|HELP)",
        "ProfileName": '(?!")',
        "To": r"(?:\+|whatsapp:|\d)",
    }.items()
}
_SHOWN_AS: Final = {"MediaUrl": "MediaUrl0", "MediaContentType": "MediaContentType0"}
_FREQUENT: Final = frozenset({"Address", "Body", "Label"})  # also ends of other names, and words that people write


def is_shifted(fields: Mapping[str, str], pairs: list[tuple[str, str]], signed_tail: str) -> bool:
    """Whether a form may be another one's signed text, cut elsewhere. `signed_tail` is what it adds to the text."""
    if signed_tail.count(_SID_NAME) != sum(map(_ends_with_sid_name, fields)) and _hides_a_sid(pairs):
        return True
    for name, as_field in _READ.items():
        if name in signed_tail and _SHOWN_AS.get(name, name) not in fields and _is_hidden(name, as_field, pairs):
            return True
    return False


def _ends_with_sid_name(name: str) -> bool:
    return name.endswith(_SID_NAME)


def _hides_a_sid(pairs: list[tuple[str, str]]) -> bool:
    """Whether a SID with the name that makes it one stands inside a field, rather than being one."""
    texts = (name + value for name, value in pairs)
    return any(_SID_ANYWHERE.search(text) and not _SID_FIELD.fullmatch(text) for text in texts)


def _is_hidden(name: str, as_field: re.Pattern[str], pairs: list[tuple[str, str]]) -> bool:
    """Whether a missing field may stand inside another one: begins one under a wrong name, or is part of a value."""
    for other, value in pairs:
        whole = other + value
        if whole.startswith(name) and not _is_name_of_its_own(other, name):
            return True
        if name not in _FREQUENT and as_field.search(value):
            return True
    return False


def _is_name_of_its_own(other: str, name: str) -> bool:
    """Whether a name that begins like a known one is a longer name by itself: the next hump begins (FromCity, To2)."""
    return len(other) > len(name) and other[len(name)].isupper() and other.isalnum() and not other.isupper()
