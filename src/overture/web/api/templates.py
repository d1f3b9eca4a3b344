"""The provider's templates: what there is, whether it may open a conversation, and how it reads with its values."""

from datetime import datetime
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from overture.actions.save_templates import Refreshed
from overture.domain import numbers, template_check
from overture.domain.access import Scope
from overture.domain.agent import Json
from overture.domain.channel import Channel
from overture.domain.errors import Invalid, Unknown
from overture.domain.template import Approval, Button, Known, Purpose, content_on, placeholders, render
from overture.domain.template_check import Kind, Problem
from overture.store import templates
from overture.web import reading
from overture.web.api.outbound import filled
from overture.web.routes import Call, get, post

_MOST: Final = 100  # problems of one preview: who gives a thousand values too many has understood by then


class ListTemplates(Struct, frozen=True, kw_only=True):
    """Which templates."""

    approval: Annotated[Approval, Meta(description="Only those in this state of approval.")] | None = None
    language: Annotated[str, Meta(max_length=40, description="Only those of this language, as en or pt_BR.")] | None = (
        None
    )
    name: Annotated[str, Meta(max_length=200, description="Only those whose name holds this.")] | None = None
    limit: Annotated[int, Meta(ge=1, le=200, description="How many.")] = 50
    offset: Annotated[int, Meta(ge=0, le=1_000_000, description="After how many.")] = 0


class TemplateProblem(Struct, frozen=True, kw_only=True):
    """Something that is wrong. `twilio_code` is the error that it would have been, had it been sent."""

    code: Kind
    sentence: str
    hint: str
    variable: str | None
    twilio_code: int | None


class TemplateView(Struct, frozen=True, kw_only=True):
    """A template as it was when last fetched. `text` and `buttons` hold its placeholders, `variables` their names;
    `approval_problem` says why it may not open a conversation on WhatsApp, null where it may.
    """

    content_sid: str
    account_sid: str
    name: str
    language: str
    category: str | None
    approval: Approval
    approval_problem: TemplateProblem | None
    types: list[str]
    text: str
    buttons: list[Button]
    variables: list[str]
    samples: dict[str, str]
    fetched_at: datetime
    gone_at: datetime | None


class TemplateList(Struct, frozen=True, kw_only=True):
    """A page of templates, by name, and how many there are in all."""

    templates: list[TemplateView]
    total: int


class RefreshedTemplates(Struct, frozen=True, kw_only=True):
    """What was fetched, account by account; `why` says what went wrong with one."""

    accounts: list[Refreshed]


class PreviewTemplate(Struct, frozen=True, kw_only=True):
    """A use of a template that is to be looked at."""

    variables: Annotated[dict[str, Any], Meta(description="Values by placeholder.")] = {}
    to: Annotated[str, Meta(max_length=64, description="The recipient's number; it matters for marketing.")] | None = (
        None
    )
    purpose: Annotated[Purpose, Meta(description="What it is for: opening, in_window or sms.")] = Purpose.OPENING
    language: Annotated[str, Meta(max_length=40, description="The language that it should be in.")] | None = None


class TemplatePreview(Struct, frozen=True, kw_only=True):
    """The message as the contact sees it, and everything that is wrong; nothing where it may be sent."""

    text: str
    buttons: list[Button]
    problems: list[TemplateProblem]


@get("/overture/v1/templates", may=Scope.READ, asks=ListTemplates, gives=TemplateList, tag="Templates", refusals=(400,))
async def list_templates(call: Call[None, ListTemplates]) -> TemplateList:
    """List the provider's templates.

    As they were when last fetched: every hour, when a call named one that was not known, or on demand. Those that the
    provider has no more are left out.
    """
    asked = call.query
    found, total = await call.parts.store.read(
        lambda tx: templates.list_page(
            tx,
            call.workspace_id,
            approval=asked.approval,
            language=asked.language,
            name=asked.name,
            limit=asked.limit,
            offset=asked.offset,
        )
    )
    return TemplateList(templates=[_view(one) for one in found], total=total)


@post("/overture/v1/templates/refresh", may=Scope.WRITE, gives=RefreshedTemplates, tag="Templates")
async def refresh_templates(call: Call[None, None]) -> RefreshedTemplates:
    """Fetch all templates now.

    Of every provider account of the workspace. An account that cannot be read keeps what is known of it.
    """
    return RefreshedTemplates(accounts=await call.parts.templates.refresh(call.workspace_id))


@get("/overture/v1/templates/{content_sid}", may=Scope.READ, gives=TemplateView, tag="Templates", refusals=(404,))
async def get_template(call: Call[None, None]) -> TemplateView:
    """Tell what is known of a template.

    One that the provider has no more says since when.
    """
    return _view(await _get(call))


@post(
    "/overture/v1/templates/{content_sid}/preview",
    may=Scope.READ,
    takes=PreviewTemplate,
    gives=TemplatePreview,
    tag="Templates",
    example={"variables": {"1": "Ada", "2": "Tuesday at 3pm"}, "to": "+15559876543"},
    refusals=(400, 404),
)
async def preview_template(call: Call[PreviewTemplate, None]) -> TemplatePreview:
    """Show a template with its values.

    As the contact would see it, with everything that is wrong: what an opening would be refused for. Nothing is sent.
    """
    known = await _get(call)
    asked = call.body
    reading.check_kept("variables", asked.variables)
    to = "" if asked.to is None else numbers.read_number(asked.to)
    if to is None:
        raise Invalid(
            "invalid_request",
            f"to {asked.to!r} is not a possible number in E.164 form.",
            field="to",
            hint="Write it with + and country code, as +15551234567.",
        )
    shown = render(known.template, filled(asked.variables), asked.purpose.channel)
    problems = template_check.check(
        known.template, _values(asked.variables), to, asked.purpose, language=asked.language
    )
    if known.gone_at is not None:
        problems.insert(0, template_check.unknown(known.template.content_sid))
    return TemplatePreview(
        text=shown.text, buttons=list(shown.buttons), problems=[_problem(problem) for problem in problems[:_MOST]]
    )


def _values(given: dict[str, Json]) -> dict[str, Json]:
    """The values as a call would send them; what it would not take stays as it is, to be told."""
    return {
        name: value if isinstance(value, list | dict | None) else filled({name: value})[name]
        for name, value in given.items()
    }


async def _get(call: Call[Any, None]) -> Known:
    content_sid = call.path["content_sid"]
    known = await call.parts.store.read(lambda tx: templates.find_by_sid(tx, call.workspace_id, content_sid))
    if known is None:
        raise Unknown(
            "template_unknown",
            f"No template {content_sid} is known.",
            field="content_sid",
            hint="POST /overture/v1/templates/refresh fetches what the provider has.",
        )
    return known


def _view(known: Known) -> TemplateView:
    one = known.template
    content = content_on(one, Channel.WHATSAPP)
    problem = template_check.approval_problem(one)
    return TemplateView(
        content_sid=one.content_sid,
        account_sid=one.account_sid,
        name=one.name,
        language=one.language,
        category=None if one.category is None else one.category.value,
        approval=one.approval,
        approval_problem=None if problem is None else _problem(problem),
        types=[content.type for content in one.contents],
        text=render(one, {}).text,
        buttons=[] if content is None else list(content.buttons),
        variables=[] if content is None else list(placeholders(content)),
        samples=one.samples,
        fetched_at=known.fetched_at,
        gone_at=known.gone_at,
    )


def _problem(problem: Problem) -> TemplateProblem:
    return TemplateProblem(
        code=problem.kind,
        sentence=problem.sentence,
        hint=problem.hint,
        variable=problem.variable,
        twilio_code=problem.twilio_code,
    )
