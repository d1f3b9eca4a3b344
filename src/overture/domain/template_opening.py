"""A template that is to open a conversation: rendered where it is known, refused where it could only fail later.

What is not known, or not lately, is let through: the provider decides over it.
"""

from datetime import datetime
from typing import Final, assert_never

from overture.domain import message, template_check
from overture.domain.channel import Channel
from overture.domain.errors import Invalid, NotAllowed, Refusal, Unknown
from overture.domain.template import Known, Purpose, render
from overture.domain.template_check import Kind, Problem

_SID: Final = "template.content_sid"
_LONGEST_NAME: Final = 64  # of a placeholder: whoever gives a longer one is told its beginning


def purpose_of(channel: Channel, *, is_open: bool) -> Purpose:
    """What a template is used for on a channel, whose window may be open."""
    if channel is not Channel.WHATSAPP:
        return Purpose.SMS
    return Purpose.IN_WINDOW if is_open else Purpose.OPENING


def settle(
    opening: message.Template, known: Known | None, *, is_missing: bool, to: str, purpose: Purpose, now: datetime
) -> message.Template | Refusal:
    """The opening as it goes out, or why it cannot. `is_missing` where the provider has just said it has none."""
    if is_missing or (known is not None and known.gone_at is not None and known.decides(now)):
        return refusal(template_check.unknown(opening.content_sid))
    if known is None:
        return opening
    if known.decides(now):
        problems = template_check.check(known.template, opening.variables, to, purpose)
        if problems:
            return refusal(problems[0])
    shown = render(known.template, opening.variables, purpose.channel).text
    return message.Template(content_sid=opening.content_sid, variables=opening.variables, rendered=shown or None)


def refusal(problem: Problem) -> Refusal:
    """A problem as the answer to a call for a conversation."""
    match problem.kind:
        case Kind.UNKNOWN_TEMPLATE:
            return Unknown("template_unknown", problem.sentence, field=_SID, hint=problem.hint)
        case Kind.NOT_SUBMITTED | Kind.IN_REVIEW | Kind.REJECTED | Kind.PAUSED | Kind.DISABLED | Kind.APPROVAL_UNKNOWN:
            return NotAllowed("template_not_approved", problem.sentence, field=_SID, hint=problem.hint)
        case Kind.CANNOT_OPEN | Kind.MARKETING_TO_US | Kind.WRONG_LANGUAGE:
            return NotAllowed("template_not_allowed", problem.sentence, field=_SID, hint=problem.hint)
        case Kind.MISSING | Kind.EXTRA | Kind.NOT_TEXT | Kind.EMPTY | Kind.LINE_BREAK | Kind.SPACES | Kind.TOO_LONG:
            field = "template.variables" + (
                f".{problem.variable[:_LONGEST_NAME]}" if problem.variable is not None else ""
            )
            return Invalid("template_variables", problem.sentence, field=field, hint=problem.hint)
        case _ as never:
            assert_never(never)
