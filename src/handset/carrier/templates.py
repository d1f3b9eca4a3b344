"""Content templates: their placeholders, what they show, and what Meta says to the values put in them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from handset.state.nouns import Choice, Rich
from handset.template import Template

PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w{1,64})\s*\}\}")
RENDERED_LIMIT: Final = 1024  # characters of a template with its values in WhatsApp
UNAPPROVED: Final = {"rejected": 63040, "paused": 63041, "disabled": 63042}
IN_SESSION_ALONE: Final = frozenset({"twilio/list-picker", "twilio/location"})  # never approved, open no session
BUTTONS_UNAPPROVED: Final = 3  # quick replies of a content that has no approval
TEXT: Final = "twilio/text"


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A content with its values, as a phone shows it."""

    body: str
    media_urls: tuple[str, ...] = ()
    rich: Rich | None = None


def kind_of(template: Template, *, whatsapp: bool) -> str:
    """The content type that the channel shows: WhatsApp the richest there is, SMS the text."""
    kinds = list(template.shapes)
    plain = [kind for kind in kinds if kind == TEXT]
    rich = [kind for kind in kinds if kind != TEXT]
    return (rich + plain if whatsapp else plain + rich)[0]


def placeholders(template: Template, *, whatsapp: bool = True) -> frozenset[str]:
    """The names between the braces."""
    shape = template.shapes[kind_of(template, whatsapp=whatsapp)]
    return frozenset(PLACEHOLDER.findall(msgspec.json.encode(shape).decode()))


def render(template: Template, given: Mapping[str, str] | None, *, whatsapp: bool) -> Rendered:
    """The content with its values; a missing one is the template's sample, and without one stays as it stands."""
    kind = kind_of(template, whatsapp=whatsapp)
    shape = _filled(template.shapes[kind], {**template.variables, **(given or {})})
    media = shape.get("media") or ()
    title = str(shape.get("title") or "")
    body = str(shape.get("body") or title or shape.get("label") or "")
    choices = _choices(kind, shape) if whatsapp else ()
    rich = Rich(kind=kind, choices=choices, menu=str(shape.get("button") or "")) if kind != TEXT and whatsapp else None
    return Rendered(body=body, media_urls=(media,) if isinstance(media, str) else tuple(media), rich=rich)


def refusal(template: Template, given: Mapping[str, str] | None, *, window_open: bool, to_address: str) -> int | None:
    """The code with which WhatsApp would refuse it after it was accepted; None if it goes through.

    Approval matters outside the window alone; since 2025-04-01 no marketing template reaches the United States.
    """
    rendered = render(template, given, whatsapp=True)
    if not window_open:
        if kind_of(template, whatsapp=True) in IN_SESSION_ALONE:
            return 63016
        if template.approval != "approved":
            return UNAPPROVED.get(template.approval, 63027)
        if template.category == "MARKETING" and to_address.startswith("whatsapp:+1"):
            return 63049
    elif template.approval != "approved" and _buttons(rendered) > BUTTONS_UNAPPROVED:
        return 63021
    if given is not None and set(given) != placeholders(template):
        return 63028
    if any(re.search(r"[\n\r\t]| {5}", value) for value in (given or {}).values()):
        return 63013
    return 63021 if len(rendered.body) > RENDERED_LIMIT else None


def _buttons(rendered: Rendered) -> int:
    return sum(choice.kind == "reply" for choice in rendered.rich.choices) if rendered.rich else 0


def _filled(part: Any, values: Mapping[str, str]) -> Any:
    if isinstance(part, str):
        return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), part)
    if isinstance(part, list):
        return [_filled(entry, values) for entry in part]
    return {name: _filled(entry, values) for name, entry in part.items()} if isinstance(part, dict) else part


def _choices(kind: str, shape: Mapping[str, Any]) -> tuple[Choice, ...]:
    if kind == "twilio/list-picker":
        return tuple(
            Choice(kind="row", title=row["item"], id=row["id"], description=row.get("description") or "")
            for row in shape["items"]
        )
    return tuple(_button(action) for action in shape.get("actions") or ())


def _button(action: Mapping[str, Any]) -> Choice:
    title, target = str(action.get("title") or ""), str(action.get("url") or action.get("phone") or "")
    if action.get("type") in {None, "QUICK_REPLY"} and not target:
        return Choice(title=title, id=str(action.get("id") or title))
    return Choice(kind="link", title=title, target=target or str(action.get("code") or ""))
