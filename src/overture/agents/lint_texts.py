"""What a linter sees in a single text of an agent: placeholders, reserved words, length, costly characters."""

import re
from collections.abc import Collection
from typing import Final, Literal

from msgspec import Struct

from overture.agents import variables
from overture.domain import consent, segments
from overture.domain.channel import REPLY_LIMIT, Channel


class Finding(Struct, frozen=True, kw_only=True):
    """Something wrong with an agent: an error breaks conversations, a warning makes them worse or dearer.

    `where` is the path in the specification (`nodes.start.ask`), `hint` says what to do.
    """

    severity: Literal["error", "warning"]
    where: str
    sentence: str
    hint: str


def error(where: str, sentence: str, hint: str) -> Finding:
    """A finding that breaks conversations."""
    return Finding(severity="error", where=where, sentence=sentence, hint=hint)


def warning(where: str, sentence: str, hint: str) -> Finding:
    """A finding that makes conversations worse or dearer."""
    return Finding(severity="warning", where=where, sentence=sentence, hint=hint)


_VERB: Final = (
    r"\b(?:reply|respond|answer|text|send|type|write|antworten sie|antworte|schreiben sie|schreibe?|senden sie)"
    r"(?: (?:with|mit))?"
)
_OFFER: Final = re.compile(_VERB + r" [\"'“„]?(\w{3,12})\b([^.!?\n]{0,120})", re.IGNORECASE)
_INVITATION: Final = re.compile(_VERB + r" ([^.!?\n]{0,160})", re.IGNORECASE)
_FURTHER: Final = re.compile(r"(?:\bor|\boder|,|/)\s*([\"'“„]\w{3,12}|[A-Z]{3,12})\b")
"""A further answer after the first: `Reply YES to come or CANCEL to call it off`; capitals or quotes mark the word."""

_NUMBERED: Final = re.compile(r"(?<!\w)\d{1,2}[.):]?\s+[\"'“„]?(\w{3,12})[\"'”“]?\s*(?=[,;.!?\n]|$|\bor\b|\boder\b)")
"""A word with its number, `1 Confirm, 2 Cancel`: people answer with either."""

_BRACED: Final = re.compile(r"\{[^{}]{0,80}\}|[{}]")
_ABOUT_OPTING_OUT: Final = re.compile(
    r"unsubscribe|opt(?:ing)?.?out|\bstop\b|messages|texts|\bhelp\b|abmeld|abbestell|hilfe|nachrichten", re.IGNORECASE
)


def lint_message(where: str, text: str, known: Collection[str]) -> list[Finding]:
    """What is wrong with a text that is sent to a contact; `known` are the names it may use."""
    findings = [
        error(where, f"'{name}' is not declared, so its placeholder would be sent as it stands.", _declare(name))
        for name in dict.fromkeys(variables.names_in(text))
        if name not in known
    ]
    findings += [
        error(
            where,
            f"'{word}' is offered as an answer, but on SMS the carrier or Twilio acts on it, not the agent.",
            "Offer a number or another word: 1, NO, CALL OFF.",
        )
        for word in _offered(text)
    ]
    bare = variables.PLACEHOLDER.sub("", text)
    findings += [
        warning(
            where,
            f"{braced!r} is no placeholder, so it would be sent as it stands.",
            "Braces hold a name, as in {name} or {name|there}; nothing is calculated in a text.",
        )
        for braced in dict.fromkeys(_BRACED.findall(bare))
    ]
    limit = REPLY_LIMIT[Channel.SMS]
    if len(bare) > limit:
        findings.append(
            warning(where, f"The text has {len(bare)} characters.", f"Keep to {limit}: longer messages are not read.")
        )
    costly = list(dict.fromkeys(char for char in bare if segments.encoding_of(char) is not segments.Encoding.GSM_7))
    if costly:
        named = ", ".join(f"{char!r} (U+{ord(char):04X})" for char in costly[:5])
        findings.append(
            warning(
                where,
                f"{named} cannot travel in a plain SMS: segments shrink from 160 characters to 70.",
                "Use plain quotes, hyphens and three dots; leave emoji to WhatsApp.",
            )
        )
    return findings


def _offered(text: str) -> list[str]:
    """Reserved words that a text invites as an answer, other than for opting out or for help."""
    offers = [(match[1], match[2]) for match in _OFFER.finditer(text)]
    for invitation in _INVITATION.finditer(text):
        rest = invitation[1]
        offers += [(match[1].strip("\"'“„"), rest[match.end() :]) for match in _FURTHER.finditer(rest)]
    offers += [(match[1], "") for match in _NUMBERED.finditer(text)]
    return list(
        dict.fromkeys(
            word for word, rest in offers if consent.reserved_on_sms(word) and not _ABOUT_OPTING_OUT.search(rest)
        )
    )


def _declare(name: str) -> str:
    return f"Add '{name}' to variables, or correct the name."
