"""The verbs of `overture templates`."""

import json
from collections.abc import Sequence

from msgspec import to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.domain.agent import Json
from overture.domain.template import Approval, Button, Purpose
from overture.settings import Settings
from overture.web.api.templates import (
    RefreshedTemplates,
    TemplateList,
    TemplatePreview,
    TemplateProblem,
    TemplateView,
)

_MAKES = "`overture serve` makes it."


def show_all(
    settings: Settings,
    *,
    approval: str | None,
    language: str | None,
    name: str | None,
    offset: int,
    limit: int,
    as_json: bool,
) -> None:
    """Print the templates."""
    if approval is not None and approval not in list(Approval):
        hint = f"States are {', '.join(Approval)}."
        telling.stop(f"--approval: {approval!r} is no state of approval.", hint=hint, status=telling.MISUSED)
    serving.require_data(settings, _MAKES)
    given = {"approval": approval, "language": language, "name": name, "limit": str(limit), "offset": str(offset)}

    async def look() -> TemplateList:
        async with serving.operator(settings) as client:
            return await client.list_templates(**{key: value for key, value in given.items() if value is not None})

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found.templates:
        print("No such template is known. `overture templates refresh` fetches what Twilio has.")
        return
    table = Table(for_ids("template"), "name, language", "approval", "text", box=None, pad_edge=False)
    for one in found.templates:
        state = "\n".join(filter(None, (one.approval.value, (one.category or "").lower())))
        table.add_row(one.content_sid, f"{fit(one.name, 60)}\n{fit(one.language, 20)}", state, fit(one.text, 80))
    on_screen().print(table)
    if (seen := offset + len(found.templates)) < found.total:
        print(f"There are {found.total} in all: --offset {seen}")


def show(settings: Settings, content_sid: str, *, as_json: bool) -> None:
    """Print what is known of a template."""
    serving.require_data(settings, _MAKES)

    async def look() -> TemplateView:
        async with serving.operator(settings) as client:
            return await client.get_template(content_sid)

    one = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(one), indent=2))
        return
    lines = Table.grid(padding=(0, 2))
    for name, value in (
        ("template", one.content_sid),
        ("account", one.account_sid),
        ("name", fit(one.name, 200)),
        ("language", fit(one.language, 40)),
        ("category", (one.category or "").lower()),
        ("approval", one.approval.value),
        ("why not", "" if one.approval_problem is None else _words(one.approval_problem)),
        ("types", ", ".join(fit(kind, 64) for kind in one.types)),
        ("text", fit(one.text, 1600)),
        ("buttons", _buttons(one.buttons)),
        ("values", ", ".join(f"{key} (as {fit(one.samples.get(key, ''), 40)!r})" for key in one.variables)),
        ("fetched", f"{one.fetched_at.astimezone():%Y-%m-%d %H:%M:%S}"),
        ("gone", "" if one.gone_at is None else f"{one.gone_at.astimezone():%Y-%m-%d %H:%M:%S}"),
    ):
        if value:
            lines.add_row(name, value)
    on_screen().print(lines)


def refresh(settings: Settings) -> None:
    """Fetch all templates. Raises Stop where an account could not be read."""
    serving.require_data(settings, _MAKES)

    async def fetch() -> RefreshedTemplates:
        async with serving.operator(settings) as client:
            return await client.refresh_templates()

    accounts = telling.run(fetch()).accounts
    if not accounts:
        telling.stop("No Twilio account is set up.", hint="`overture doctor` says what is missing.")
    for one in accounts:
        if one.why is None:
            gone = f", {one.gone} gone" if one.gone else ""
            print(f"{one.account_sid}: {one.templates} {'template' if one.templates == 1 else 'templates'}{gone}")
        else:
            print(f"{one.account_sid}: {fit(one.why, 300)}")
    if any(one.why is not None for one in accounts):
        telling.stop("Not every account could be read; what was known of it is kept.")


def preview(
    settings: Settings, content_sid: str, values: Sequence[str], *, to: str | None, purpose: str, as_json: bool
) -> None:
    """Print a template with its values. Raises Stop where it could not be sent so."""
    if purpose not in list(Purpose):
        hint = f"Purposes are {', '.join(Purpose)}."
        telling.stop(f"--purpose: {purpose!r} is none.", hint=hint, status=telling.MISUSED)
    given: dict[str, Json] = {}
    for value in values:
        name, separator, text = value.partition("=")
        if not separator or not name:
            telling.stop(f"{value!r} is no value.", hint="Write it as 1=Ada.", status=telling.MISUSED)
        given[name] = text
    serving.require_data(settings, _MAKES)
    use: dict[str, Json] = {"variables": given, "purpose": purpose, **({} if to is None else {"to": to})}

    async def look() -> TemplatePreview:
        async with serving.operator(settings) as client:
            return await client.preview_template(content_sid, use)

    shown = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(shown), indent=2))
    else:
        console = on_screen()
        console.print("\n".join(fit(line, 1600) for line in shown.text.splitlines()))
        if shown.buttons:
            console.print(_buttons(shown.buttons))
        for problem in shown.problems:
            console.print(f"wrong    {_words(problem)}")
    if shown.problems:
        telling.stop(f"It cannot be sent so: {len(shown.problems)} wrong.")


def _buttons(buttons: Sequence[Button]) -> str:
    shown = (fit(one.title, 60) + (f" -> {fit(one.target, 200)}" if one.target else "") for one in buttons)
    return "\n".join(f"[{button}]" for button in shown)


def _words(problem: TemplateProblem) -> str:
    code = "" if problem.twilio_code is None else f" (Twilio {problem.twilio_code})"
    return f"{fit(problem.sentence, 400)}{code} {fit(problem.hint, 300)}"
