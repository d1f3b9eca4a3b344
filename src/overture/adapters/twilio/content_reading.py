"""A template as the Content API writes it, in our words. Each type keeps its texts and buttons under names of its own.

Sources: Twilio's content types (text, media, location, list picker, call to action, quick reply, card, carousel,
catalog, flows, authentication) and the resource of approvals. A type that is not known is read by the same names.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from overture.domain.template import Approval, Button, Category, Content, Template

SID: Final = re.compile(r"HX[0-9a-fA-F]{32}")

_APPROVALS: Final = {one.value: one for one in Approval}
_CATEGORIES: Final = {one.value: one for one in Category}
_LONGEST: Final = 4096  # characters of one text: a template has 1,600
_MOST: Final = 100  # samples, buttons, further texts: Meta allows a hundred placeholders
_MOST_TYPES: Final = 20

_TEXTS: Final = ("header_text", "title", "body", "subtitle", "footer")
_OTHERS: Final = ("media", "thumbnail_item_id", "label", "address", "id", "latitude", "longitude")
_BUTTONS: Final = {
    "QUICK_REPLY": "reply",
    "URL": "url",
    "PHONE_NUMBER": "phone",
    "COPY_CODE": "copy_code",
    "VOICE_CALL": "phone",
}


def read(row: Mapping[str, Any], approval: object, account_sid: str) -> Template | None:
    """A template of an account; None where the row has no SID."""
    sid = row.get("sid")
    if not isinstance(sid, str) or SID.fullmatch(sid) is None:
        return None
    told = approval if isinstance(approval, dict) else {}
    types = row.get("types") if isinstance(row.get("types"), dict) else {}
    assert isinstance(types, dict)
    return Template(
        content_sid=sid,
        account_sid=account_sid,
        name=_text(row.get("friendly_name"))[:200],
        language=_text(row.get("language"))[:40],
        contents=tuple(_content(name, fields) for name, fields in list(types.items())[:_MOST_TYPES]),
        category=_CATEGORIES.get(_text(told.get("category")).upper()),
        approval=_approval(told.get("status")),
        rejection=_text(told.get("rejection_reason"))[:500],
        samples=_samples(row.get("variables")),
    )


def _approval(status: object) -> Approval:
    return Approval.UNSUBMITTED if status is None else _APPROVALS.get(_text(status).lower(), Approval.UNKNOWN)


def _samples(variables: object) -> dict[str, str]:
    """The samples by name; Twilio writes them as texts, but the resource says "any type"."""
    if not isinstance(variables, dict):
        return {}
    return {_text(name)[:64]: _text(value) for name, value in list(variables.items())[:_MOST]}


def _content(name: str, fields: object) -> Content:
    told = fields if isinstance(fields, dict) else {}
    cards = [card for card in _listed(told, "cards") if isinstance(card, dict)]
    return Content(
        type=_text(name)[:64],
        text="\n".join(text for one in (told, *cards) for text in _texts(one)),
        buttons=tuple(button for one in (told, *cards) for button in _buttons(one))[:_MOST],
        others=tuple(other for one in (told, *cards) for other in _others(one))[:_MOST],
    )


def _texts(told: Mapping[str, Any]) -> Iterator[str]:
    for name in _TEXTS:
        if text := _text(told.get(name)):
            yield text


def _buttons(told: Mapping[str, Any]) -> Iterator[Button]:
    for action in _listed(told, "actions"):
        if isinstance(action, dict):
            kind = _BUTTONS.get(_text(action.get("type")).upper(), "reply")
            title = _text(action.get("title")) or _text(action.get("copy_code_text"))
            target = next((_text(action[key]) for key in ("url", "phone", "code") if action.get(key)), None)
            yield Button(kind=kind, title=title, target=target)
    if button := _text(told.get("button")) or _text(told.get("button_text")):
        yield Button(kind="reply", title=button)
    for item in _listed(told, "items"):
        if isinstance(item, dict):
            yield Button(kind="item", title=_text(item.get("item")), target=_text(item.get("description")) or None)


def _others(told: Mapping[str, Any]) -> Iterator[str]:
    """Texts that nobody reads and that hold placeholders all the same: addresses of media, ids of buttons."""
    for name in _OTHERS:
        value = told.get(name)
        for one in value if isinstance(value, list) else [value]:
            if text := _text(one):
                yield text
    for name in ("actions", "items"):
        for one in _listed(told, name):
            if isinstance(one, dict) and (text := _text(one.get("id"))):
                yield text


def _listed(told: Mapping[str, Any], name: str) -> list[Any]:
    value = told.get(name)
    return value[:_MOST] if isinstance(value, list) else []


def _text(value: object) -> str:
    """A value as one text that both databases can keep."""
    match value:
        case None:
            return ""
        case str():
            return value.replace("\x00", "")[:_LONGEST]
        case _:
            return msgspec.json.encode(value).decode()[:_LONGEST]
