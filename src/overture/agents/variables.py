"""Variables: names in an agent's texts that stand for values.

Three spellings are understood, because people come from three habits: `{name}`, `{{name}}` and `<name>`; the braced
ones may carry what to say where there is no value, `{name|there}`. Only known names are replaced, so that JSON and CSS
in instructions survive byte for byte; it is one pass, so that a value holding `{other}` is never expanded again; and
the pattern cannot backtrack over more than one name and one default, so that time is linear in the text.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from typing import Final

import msgspec
from msgspec import Struct

from overture.domain.agent import AgentSpec, Json
from overture.domain.channel import Channel
from overture.domain.errors import Invalid
from overture.domain.time_zones import find_zone

SYSTEM: Final = frozenset(
    {
        "now",
        "today",
        "weekday",
        "timezone",
        "channel",
        "contact_number",
        "user_phone_number",
        "from_phone_number",
        "to_phone_number",
        "agent_number",
        "conversation_id",
        "language",
    }
)
"""Names that every agent may use without declaring them; the three `*_phone_number` are the hosted platform's."""

MAX_LENGTH: Final = 500  # the default of domain/agent.Variable, for values that nobody declared

_NAME: Final = r"([A-Za-z_][A-Za-z0-9_]{0,63})"
_DEFAULT: Final = r"(?:\|([^{}]{0,200}))?"
PLACEHOLDER: Final = re.compile(rf"\{{\{{ ?{_NAME} ?{_DEFAULT}\}}\}}|\{{{_NAME}{_DEFAULT}\}}|<{_NAME}>")

_WEEKDAYS: Final = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
}

# Characters that turn the direction of what follows: they make a text read otherwise than it is written.
BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class Missing(Struct, frozen=True, kw_only=True):
    """Required variables that nobody gave a value: the caller refuses with `variable_missing`."""

    names: tuple[str, ...]


def names_in(text: str) -> list[str]:
    """Every name that looks like a placeholder in a text, in order, declared or not."""
    return [_name(match) for match in PLACEHOLDER.finditer(text)]


def fill_instructions(text: str, values: Mapping[str, Json]) -> str:
    """A model's instructions with the names in `values` replaced; everything else stays byte for byte."""

    def replace(match: re.Match[str]) -> str:
        name = _name(match)
        return (shown(values[name]) or _default(match)) if name in values else match.group()

    return PLACEHOLDER.sub(replace, text)


def fill_message(text: str, values: Mapping[str, Json], known: Collection[str] = ()) -> str:
    """A message ready to leave: a known name without a value becomes its inline default, or nothing.

    `known` are names that are meant as variables although they have no value now. The space before a placeholder that
    vanished goes too where punctuation follows: "Hi {name}, welcome" reads "Hi, welcome".
    """

    def replace(match: re.Match[str]) -> str:
        name = _name(match)
        if name not in values and name not in known:
            return match.group()
        return shown(values.get(name)) or _default(match) or _VANISHED

    filled = PLACEHOLDER.sub(replace, text.replace(_VANISHED, ""))
    filled = _GAP.sub("", filled).replace(_VANISHED, "")
    return without_placeholders(filled, {*values, *known})


_VANISHED: Final = "\x00"  # cannot stand in a value (control characters are removed) nor leave (it is replaced)
_GAP: Final = re.compile(r"(?<=\S) \x00(?=[ ,.!?;:\n]|$)")


def raw_placeholders(text: str, names: Collection[str]) -> list[str]:
    """The names of `names` that still stand as placeholders in a text: none may be there when it is sent."""
    return [name for name in names_in(text) if name in names]


def without_placeholders(text: str, names: Collection[str]) -> str:
    """The text with what looks like a placeholder of `names` reduced to the bare name.

    What is left after filling came out of a value or of a model, which may hold any text; it is never expanded.
    """
    if not raw_placeholders(text, names):
        return text
    reduced = PLACEHOLDER.sub(lambda match: _name(match) if _name(match) in names else match.group(), text)
    return reduced.translate(_NO_BRACKETS) if raw_placeholders(reduced, names) else reduced


_NO_BRACKETS: Final = str.maketrans("", "", "{}<>")


def shown(value: Json, max_length: int | None = None) -> str:
    """A value as it reads in a text: one line, no control or direction characters; None is the empty text."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return clean(value, max_length)
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
        case _:
            return clean(msgspec.json.encode(value).decode(), max_length)


def clean(text: str, max_length: int | None = None) -> str:
    """A value's text on one line, without control and direction characters, at most `max_length` characters."""
    spaced = re.sub(r"[\r\n\t\v\f\x85\u2028\u2029]+", " ", text)
    kept = "".join(char for char in spaced if char not in BIDI and unicodedata.category(char) not in {"Cc", "Cs"})
    return kept.strip()[:max_length].rstrip()


def resolve(spec: AgentSpec, given: Mapping[str, Json], system: Mapping[str, Json]) -> dict[str, Json] | Missing:
    """The values of a conversation by name: declared ones (given, else default), other given ones, the system's.

    Texts are cleaned and cut to their `max_length`; numbers and truth values keep their type for conditions. A
    required variable must be given something that is not empty. The system's names cannot be given by a caller.
    """
    values: dict[str, Json] = {name: _kept(value, MAX_LENGTH) for name, value in given.items()}
    missing = []
    for name, variable in spec.variables.items():
        value = _kept(given.get(name), variable.max_length)
        if value is None or value == "":
            value = variable.default
        if variable.required and (value is None or value == "") and name not in system:
            missing.append(name)
        values[name] = value
    return Missing(names=tuple(missing)) if missing else {**values, **system}


def _kept(value: Json, max_length: int) -> Json:
    return clean(value, max_length) if isinstance(value, str) else value


def system_variables(
    *,
    now: datetime,
    timezone: str,
    language: str,
    channel: Channel,
    contact_number: str,
    agent_number: str,
    conversation_id: str,
    opened_by_contact: bool = False,
) -> dict[str, Json]:
    """The system's values, its times in the agent's time zone (UTC where the zone is not known here).

    `from_phone_number` and `to_phone_number` follow the first message of the conversation: who wrote it to whom.
    """
    local = now.astimezone(find_zone(timezone) or UTC)
    weekdays = _WEEKDAYS.get(language[:2].lower(), _WEEKDAYS["en"])
    first, second = (contact_number, agent_number) if opened_by_contact else (agent_number, contact_number)
    return {
        "now": local.strftime("%Y-%m-%d %H:%M"),
        "today": local.strftime("%Y-%m-%d"),
        "weekday": weekdays[local.weekday()],
        "timezone": timezone,
        "channel": channel.value,
        "contact_number": contact_number,
        "user_phone_number": contact_number,
        "from_phone_number": first,
        "to_phone_number": second,
        "agent_number": agent_number,
        "conversation_id": conversation_id,
        "language": language,
    }


def today(now: datetime, timezone: str) -> date:
    """The day it is in a time zone (UTC where the zone is not known here)."""
    return now.astimezone(find_zone(timezone) or UTC).date()


def normalise_custom(value: Json) -> dict[str, Json]:
    """`custom_variables` in any shape callers send them: an object, `{key, value}` pairs, or "key: value" texts.

    Raises Invalid where it is none of them. The last of two equal keys counts.
    """
    match value:
        case None:
            return {}
        case dict():
            return dict(value)
        case list():
            return dict(_pair(item, place) for place, item in enumerate(value))
        case _:
            raise _not_custom("custom_variables")


def _pair(item: Json, place: int) -> tuple[str, Json]:
    match item:
        case {"key": str(key), "value": value}:
            return key, value
        case str() if ":" in item:
            key, _, text = item.partition(":")
            return key.strip(), text.strip()
        case _:
            raise _not_custom(f"custom_variables[{place}]")


def _not_custom(field: str) -> Invalid:
    return Invalid(
        "invalid_request",
        "custom_variables must be an object, or an array of {key, value} objects.",
        field=field,
        hint='Send them as {"name": "value"}.',
    )


def _name(match: re.Match[str]) -> str:
    return match[1] or match[3] or match[5]


def _default(match: re.Match[str]) -> str:
    return clean(match[2] or match[4] or "")
