"""A template that is to open a conversation: rendered where it is known, refused where it could only fail later.

What is not known, or not lately, is let through: the provider decides over it.
"""

from datetime import datetime
from typing import Final, assert_never

from msgspec import Struct
from msgspec.structs import replace

from overture.domain import message, template_check
from overture.domain.agent import TemplateUse
from overture.domain.channel import Channel
from overture.domain.errors import Invalid, NotAllowed, Refusal, Unknown
from overture.domain.template import Known, Purpose, render
from overture.domain.template_check import Kind, Problem

_SID: Final = "template.content_sid"
_AGENT: Final = "agent_id"
_LONGEST_NAME: Final = 64  # of a placeholder: whoever gives a longer one is told its beginning


class OwnTemplate(Struct, frozen=True, kw_only=True):
    """An agent's own template with its values as they would go out.

    `missing` are the agent's variables whose lack leaves a place empty, which WhatsApp takes from nobody.
    """

    use: TemplateUse
    missing: tuple[str, ...] = ()


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
    return replace(opening, rendered=shown or None)


def settle_own(
    own: OwnTemplate, known: Known | None, *, is_missing: bool, to: str, now: datetime
) -> message.Template | Refusal:
    """An agent's own opening as it goes out, or why it cannot: the caller is told what it can give, or whose fault."""
    if own.missing:
        return Invalid(
            "variable_missing",
            f"The agent's opening template needs a value for {', '.join(own.missing)}.",
            field=f"custom_variables.{own.missing[0]}",
            hint="Give it in custom_variables, or give a template.",
        )
    opening = message.Template(content_sid=own.use.content_sid, variables=own.use.variables)
    settled = settle(opening, known, is_missing=is_missing, to=to, purpose=Purpose.OPENING, now=now)
    if not isinstance(settled, Refusal):
        return settled
    place = "" if settled.field is None else settled.field.removeprefix("template.")
    return type(settled)(
        settled.code,
        f"The agent's opening template cannot be used: {settled.description}",
        field=_AGENT,
        hint=f"Give a template, or correct the agent's opening_template ({place}). {settled.hint or ''}".rstrip(),
    )


def taken_back(known: Known | None, *, purpose: Purpose, since: datetime, now: datetime) -> Problem | None:
    """Why a template that was sound when its message was written, `since`, may not leave any more.

    Nothing refuses that was known before the message: the call has weighed it already.
    """
    if known is None or known.fetched_at < since or not known.decides(now):
        return None
    if known.gone_at is not None:
        return template_check.unknown(known.template.content_sid)
    return template_check.approval_problem(known.template) if purpose is Purpose.OPENING else None


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
