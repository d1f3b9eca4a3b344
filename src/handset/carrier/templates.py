"""Content templates: their placeholders, and what Meta says to the values put in them."""

import re
from collections.abc import Mapping
from typing import Final

from handset.config import Template

PLACEHOLDER: Final = re.compile(r"\{\{\s*(\w{1,64})\s*\}\}")
RENDERED_LIMIT: Final = 1024  # characters of a template with its values in WhatsApp
UNAPPROVED: Final = {"rejected": 63040, "paused": 63041, "disabled": 63042}


def placeholders(body: str) -> frozenset[str]:
    """The names between the braces."""
    return frozenset(PLACEHOLDER.findall(body))


def render(template: Template, given: Mapping[str, str] | None) -> str:
    """The text with its values; a missing one is the template's sample, and without one stays as it stands."""
    values = {**template.variables, **(given or {})}
    return PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), template.body)


def refusal(template: Template, given: Mapping[str, str] | None, *, window_open: bool, to_address: str) -> int | None:
    """The code with which WhatsApp would refuse it after it was accepted; None if it goes through.

    Approval matters outside the window alone; since 2025-04-01 no marketing template reaches the United States.
    """
    if not window_open:
        if template.approval != "approved":
            return UNAPPROVED.get(template.approval, 63027)
        if template.category == "MARKETING" and to_address.startswith("whatsapp:+1"):
            return 63049
    if given is not None and set(given) != placeholders(template.body):
        return 63028
    if any(re.search(r"[\n\r\t]| {5}", value) for value in (given or {}).values()):
        return 63013
    return 63021 if len(render(template, given)) > RENDERED_LIMIT else None
