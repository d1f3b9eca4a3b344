"""What a template may hold: the Content API's types and their limits, as its pages name them.

Reproduced are the types below; others are refused. Pure: JSON goes in, a template or Twilio's error comes out.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from handset.api.refusals import TwilioError
from handset.template import Template

NAME: Final = re.compile(r"[a-z0-9_]{1,512}")  # of a template at WhatsApp
BODY_LIMIT: Final = 1024
TITLE_LIMIT: Final = 24  # of a row; a button has 25 outside WhatsApp, 20 in it
ID_LIMIT: Final = 200
DESCRIPTION_LIMIT: Final = 72
MOST_BUTTONS, MOST_ROWS, MOST_VARIABLES, MOST_LINKS = 10, 10, 100, 2


class Asked(msgspec.Struct, kw_only=True):
    """The body of a request that makes or changes a template."""

    friendly_name: str = ""
    language: str = ""
    variables: dict[str, str] = msgspec.field(default_factory=dict)
    types: dict[str, dict[str, Any] | None] = msgspec.field(default_factory=dict)

    @property
    def shapes(self) -> dict[str, dict[str, Any]]:
        """The types that are given: the libraries send null for all others."""
        return {
            kind: {name: value for name, value in shape.items() if value is not None}
            for kind, shape in self.types.items()
            if shape is not None
        }


class Submitted(msgspec.Struct, kw_only=True):
    """The body of a request for an approval."""

    name: str = ""
    category: str = ""
    allow_category_change: bool = True


def template(asked: Asked, *, sid: str, account_sid: str) -> Template:
    """The template that is asked for; raises TwilioError with what is wrong."""
    if not asked.language:
        raise TwilioError(20001, "language is required")
    if not asked.shapes:
        raise TwilioError(20001, "types is required")
    if len(asked.variables) > MOST_VARIABLES:
        raise TwilioError(20001, f"variables: at most {MOST_VARIABLES}")
    check_types(asked.shapes)
    return Template(
        sid=sid,
        name=asked.friendly_name,
        language=asked.language,
        approval="unsubmitted",
        variables=asked.variables,
        types=asked.shapes,
        account=account_sid,
    )


def check_types(types: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse content of a type that is not known, or beyond its type's limits."""
    for kind, shape in types.items():
        check = CHECKS.get(kind)
        if check is None:
            raise TwilioError(20001, f"types: {kind[:60]} is not known")
        check(kind, shape)


def _text(kind: str, shape: Mapping[str, Any], name: str, *, limit: int, needed: bool = True) -> None:
    value = shape.get(name)
    if value is None and not needed:
        return
    if not isinstance(value, str) or (needed and not value) or len(value) > limit:
        raise TwilioError(20001, f"{kind}: {name} must be text of 1 to {limit} characters")


def _rows(kind: str, shape: Mapping[str, Any], name: str, *, most: int) -> list[Mapping[str, Any]]:
    rows = shape.get(name)
    if not isinstance(rows, list) or not 1 <= len(rows) <= most or not all(isinstance(row, dict) for row in rows):
        raise TwilioError(20001, f"{kind}: {name} must be 1 to {most} objects")
    return rows


def _check_text(kind: str, shape: Mapping[str, Any]) -> None:
    _text(kind, shape, "body", limit=1600)


def _check_media(kind: str, shape: Mapping[str, Any]) -> None:
    media = shape.get("media")
    if not isinstance(media, list) or not media or not all(isinstance(url, str) and url for url in media):
        raise TwilioError(20001, f"{kind}: media must be a list of addresses")
    _text(kind, shape, "body", limit=BODY_LIMIT, needed=False)


def _check_location(kind: str, shape: Mapping[str, Any]) -> None:
    for name in ("latitude", "longitude"):
        if not isinstance(shape.get(name), int | float | str):
            raise TwilioError(20001, f"{kind}: {name} is required")


def _check_list(kind: str, shape: Mapping[str, Any]) -> None:
    _text(kind, shape, "body", limit=BODY_LIMIT)
    _text(kind, shape, "button", limit=20)
    for row in _rows(kind, shape, "items", most=MOST_ROWS):
        _text(kind, row, "item", limit=TITLE_LIMIT)
        _text(kind, row, "id", limit=ID_LIMIT)
        _text(kind, row, "description", limit=DESCRIPTION_LIMIT, needed=False)


def _check_quick_reply(kind: str, shape: Mapping[str, Any]) -> None:
    _text(kind, shape, "body", limit=BODY_LIMIT)
    for action in _rows(kind, shape, "actions", most=MOST_BUTTONS):
        _text(kind, action, "title", limit=25)
        _text(kind, action, "id", limit=ID_LIMIT, needed=False)


def _check_call_to_action(kind: str, shape: Mapping[str, Any]) -> None:
    _text(kind, shape, "body", limit=BODY_LIMIT)
    for action in _rows(kind, shape, "actions", most=MOST_LINKS):
        _text(kind, action, "title", limit=25)
        given = {"URL": "url", "PHONE_NUMBER": "phone", "COPY_CODE": "code"}.get(str(action.get("type")))
        if given is None:
            raise TwilioError(20001, f"{kind}: type must be URL, PHONE_NUMBER or COPY_CODE")
        _text(kind, action, given, limit=2000)


CHECKS: Final[dict[str, Callable[[str, Mapping[str, Any]], None]]] = {
    "twilio/text": _check_text,
    "twilio/media": _check_media,
    "twilio/location": _check_location,
    "twilio/list-picker": _check_list,
    "twilio/quick-reply": _check_quick_reply,
    "twilio/call-to-action": _check_call_to_action,
}
