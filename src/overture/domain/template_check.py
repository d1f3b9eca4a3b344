"""What is wrong with a use of a template: everything that WhatsApp would tell minutes later, with an error code.

The rules are those of Twilio's Content API and of Meta's templates; each problem carries the code that it would have
been.
"""

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.template import (
    Approval,
    Category,
    Content,
    Purpose,
    Template,
    content_on,
    placeholders,
    render,
)

_LINES: Final = re.compile(r"[\n\r\t\v\f\u0085\u2028\u2029]")
_SPACES: Final = re.compile(r" {5}")  # Meta: not more than four in a row
_OPENS_NOTHING: Final = frozenset({"twilio/list-picker", "twilio/location"})  # in an open session only
_LONGEST: Final = {Channel.WHATSAPP: 1024, Channel.SMS: 1600}


class Kind(StrEnum):
    """What can be wrong with a use of a template."""

    UNKNOWN_TEMPLATE = "template_unknown"
    NOT_SUBMITTED = "not_submitted"
    IN_REVIEW = "in_review"
    REJECTED = "rejected"
    PAUSED = "paused"
    DISABLED = "disabled"
    APPROVAL_UNKNOWN = "approval_unknown"
    CANNOT_OPEN = "cannot_open"
    MARKETING_TO_US = "marketing_to_us"
    WRONG_LANGUAGE = "wrong_language"
    MISSING = "variable_missing"
    EXTRA = "variable_extra"
    NOT_TEXT = "variable_not_text"
    EMPTY = "variable_empty"
    LINE_BREAK = "variable_line_break"
    SPACES = "variable_spaces"
    TOO_LONG = "too_long"


class Problem(Struct, frozen=True, kw_only=True):
    """Something that is wrong: a sentence, what to do, and the provider's code that would have told it too late.

    `variable` names the value that is wrong, None where it is the template itself.
    """

    kind: Kind
    sentence: str
    hint: str
    variable: str | None = None
    twilio_code: int | None = None


_APPROVALS: Final[Mapping[Approval, tuple[Kind, str, str, int]]] = {
    Approval.UNSUBMITTED: (
        Kind.NOT_SUBMITTED,
        "The template was never submitted to WhatsApp for approval.",
        "Submit it in the Twilio Console (Content Template Builder) and wait for the approval.",
        63027,
    ),
    Approval.RECEIVED: (
        Kind.IN_REVIEW,
        "The template was submitted and Meta has not begun to review it.",
        "Wait for the approval: minutes as a rule, a day at most.",
        63027,
    ),
    Approval.PENDING: (
        Kind.IN_REVIEW,
        "Meta is still reviewing the template.",
        "Wait for the approval: minutes as a rule, a day at most.",
        63027,
    ),
    Approval.REJECTED: (
        Kind.REJECTED,
        "Meta rejected the template.",
        "Correct what was objected to and submit it under a new name, or use another template.",
        63040,
    ),
    Approval.PAUSED: (
        Kind.PAUSED,
        "Meta paused the template, because too many of its readers blocked or reported it.",
        "Use another template until Meta lifts the pause (hours, then a day).",
        63041,
    ),
    Approval.DISABLED: (
        Kind.DISABLED,
        "Meta disabled the template for good.",
        "Use another template; this one does not come back.",
        63042,
    ),
    Approval.UNKNOWN: (
        Kind.APPROVAL_UNKNOWN,
        "The template's approval has a state that this version does not know.",
        "Look the template up in the Twilio Console; only an approved one may open a conversation.",
        63027,
    ),
}


def check(
    template: Template, variables: Mapping[str, object], to: str, purpose: Purpose, *, language: str | None = None
) -> list[Problem]:
    """Everything that is wrong with sending a template to a number; nothing where it may go.

    What concerns the template itself comes first. `language` is the one that was asked for.
    """
    problems = _of_template(template, to, purpose)
    if language is not None and _tongue(language) != _tongue(template.language):
        problems.append(
            Problem(
                kind=Kind.WRONG_LANGUAGE,
                sentence=f"The template is written in {template.language!r}, not in {language[:20]!r}.",
                hint="Each language is a template of its own: give the content_sid of that one.",
                twilio_code=63027,
            )
        )
    content = content_on(template, purpose.channel)
    if content is None:
        return problems
    problems += _of_variables(template, content, variables, purpose)
    filled = {name: value for name, value in variables.items() if isinstance(value, str)}
    length, longest = len(render(template, filled, purpose.channel).text), _LONGEST[purpose.channel]
    if length > longest:
        problems.append(
            Problem(
                kind=Kind.TOO_LONG,
                sentence=f"With its values the template has {length} characters; {longest} are allowed.",
                hint="Give shorter values.",
                variable=max(filled, key=lambda name: len(filled[name]), default=None),
                twilio_code=21617 if purpose is Purpose.SMS else 63021,
            )
        )
    return problems


def unknown(content_sid: str) -> Problem:
    """What is wrong with a template that the provider does not have."""
    return Problem(
        kind=Kind.UNKNOWN_TEMPLATE,
        sentence=f"The sender's provider account has no template {content_sid}.",
        hint="Check the SID, and that it belongs to the sender's account: `overture templates list` shows what it has.",
        twilio_code=21655,
    )


def approval_problem(template: Template) -> Problem | None:
    """What is wrong with opening a conversation by a template in its state; None where it is approved."""
    found = _APPROVALS.get(template.approval)
    if found is None:
        return None
    kind, sentence, hint, code = found
    if template.rejection and kind is Kind.REJECTED:
        sentence = f"{sentence[:-1]}: {' '.join(template.rejection.split())[:300].rstrip('.')}."
    return Problem(kind=kind, sentence=sentence, hint=hint, twilio_code=code)


def _of_template(template: Template, to: str, purpose: Purpose) -> list[Problem]:
    if purpose is not Purpose.OPENING:
        return []
    problems = []
    if (problem := approval_problem(template)) is not None:
        problems.append(problem)
    content = content_on(template, Channel.WHATSAPP)
    if content is not None and content.type in _OPENS_NOTHING:
        problems.append(
            Problem(
                kind=Kind.CANNOT_OPEN,
                sentence=f"A template of type {content.type} cannot open a conversation on WhatsApp.",
                hint="Use one of text, media, quick replies or a call to action; this one goes inside the 24 hours.",
                twilio_code=63016,
            )
        )
    if template.category is Category.MARKETING and is_american(to):
        problems.append(
            Problem(
                kind=Kind.MARKETING_TO_US,
                sentence="WhatsApp delivers no marketing templates to numbers of the United States.",
                hint="Use a utility template, or write by SMS.",
                twilio_code=63049,
            )
        )
    return problems


def _of_variables(
    template: Template, content: Content, variables: Mapping[str, object], purpose: Purpose
) -> list[Problem]:
    wanted = placeholders(content)
    somewhere = {name for one in template.contents for name in placeholders(one)}
    problems = [_missing(name, template) for name in wanted if name not in variables]
    for name, value in variables.items():
        if name not in somewhere:
            problems.append(_extra(name, wanted))
        elif (problem := _of_value(name, value, purpose)) is not None:
            problems.append(problem)
    return problems


def _of_value(name: str, value: object, purpose: Purpose) -> Problem | None:
    if not isinstance(value, str):
        return Problem(
            kind=Kind.NOT_TEXT,
            sentence=f"The value of {_named(name)} is not a text.",
            hint="Every value is a text: write numbers in quotes, leave nothing null.",
            variable=name,
            twilio_code=21656,
        )
    if purpose is Purpose.SMS:
        return None
    if not value.strip():
        return Problem(
            kind=Kind.EMPTY,
            sentence=f"The value of {_named(name)} is empty.",
            hint="WhatsApp takes no empty values: give it one, or use a template without it.",
            variable=name,
            twilio_code=21656,
        )
    if _LINES.search(value):
        return Problem(
            kind=Kind.LINE_BREAK,
            sentence=f"The value of {_named(name)} holds a line break or a tab.",
            hint="WhatsApp takes values of one line: put line breaks into the template itself.",
            variable=name,
            twilio_code=63013,
        )
    if _SPACES.search(value):
        return Problem(
            kind=Kind.SPACES,
            sentence=f"The value of {_named(name)} holds more than four spaces in a row.",
            hint="WhatsApp takes at most four: join them.",
            variable=name,
            twilio_code=63013,
        )
    return None


def _missing(name: str, template: Template) -> Problem:
    sample = template.samples.get(name)
    like = "" if sample is None else f", such as {sample[:40]!r}"
    return Problem(
        kind=Kind.MISSING,
        sentence=f"The template needs a value for {_named(name)}.",
        hint=f"Give template.variables a {name!r}{like}; else the reader gets the sample.",
        variable=name,
        twilio_code=63028,
    )


def _extra(name: str, wanted: tuple[str, ...]) -> Problem:
    takes = ", ".join(_named(one) for one in wanted) or "no values"
    return Problem(
        kind=Kind.EXTRA,
        sentence=f"The template has no placeholder {_named(name[:64])}; it takes {takes}.",
        hint="Leave it out.",
        variable=name,
        twilio_code=63028,
    )


def _named(name: str) -> str:
    return f"{{{{{name}}}}}"


def _tongue(language: str) -> str:
    return language.strip().lower().replace("-", "_")


_ELSEWHERE: Final = (
    "204 226 236 242 246 249 250 257 263 264 268 273 284 289 306 343 345 354 365 367 368 382 403 416 418 428 431 "
    "437 438 441 450 468 473 474 506 514 519 548 579 581 584 587 600 604 613 622 633 639 647 649 658 664 672 683 "
    "705 709 721 742 753 758 767 778 780 782 784 807 809 819 825 829 849 867 868 869 873 876 879 902 905 942"
)
"""Area codes behind +1 that are not the United States': Canada's, Bermuda's and the Caribbean's."""


def is_american(number: str) -> bool:
    """Whether a number is one of the United States, by its area code."""
    return number.startswith("+1") and number[2:5] not in _ELSEWHERE
