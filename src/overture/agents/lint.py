"""The linter: what is wrong with an agent before anybody talks to it.

It knows what each kind needs, and what carriers and phones do to texts. Pure: it reads a specification, no file.
"""

import re
from collections.abc import Iterator
from typing import Final, assert_never

from overture.agents import tools, variables, words
from overture.agents.kinds.flow import known_names
from overture.agents.lint_asking import lint_endpoint, lint_names
from overture.agents.lint_flow import lint_flow
from overture.agents.lint_knowledge import lint_knowledge
from overture.agents.lint_limits import lint_limits
from overture.agents.lint_people import lint_people
from overture.agents.lint_texts import Finding, error, lint_message, warning
from overture.agents.lint_tools import lint_tools
from overture.domain.agent import AgentSpec, FlowSpec, PromptSpec, TemplateUse
from overture.domain.time_zones import find_zone
from overture.domain.tool_address import Surroundings

__all__ = ["Finding", "lint"]

_CONTENT_SID: Final = re.compile(r"HX[0-9a-fA-F]{32}")
_LANGUAGE: Final = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")


def lint(
    spec: AgentSpec,
    surroundings: Surroundings | None = None,
    *,
    knowledge: frozenset[str] | None = None,
) -> list[Finding]:
    """Everything wrong with an agent, in the order of its specification; errors break conversations.

    `surroundings` are those of the server that calls its tools, `knowledge` the names of the bases that there are; None
    where they are not known.
    """
    beside = [*lint_people(spec, surroundings), *lint_limits(spec, surroundings)]
    models = None if surroundings is None else surroundings.models
    match spec:
        case FlowSpec():
            known = known_names(spec)
            of_names = lint_names(spec, knowledge, models)
            of_flow = [*lint_tools(spec, known, surroundings), *lint_flow(spec), *of_names]
            return [*_lint_common(spec, known), *beside, *of_flow]
        case PromptSpec():
            known = variables.SYSTEM.union(spec.variables)
            of_tools = lint_tools(spec, known | tools.slots(spec), surroundings)
            of_knowledge = [*lint_knowledge(spec, knowledge), *lint_endpoint("", spec.model, models)]
            return [*_lint_common(spec, known), *beside, *_lint_prompt(spec, known), *of_tools, *of_knowledge]
        case _ as never:
            assert_never(never)


def _lint_common(spec: AgentSpec, known: frozenset[str]) -> Iterator[Finding]:
    if not spec.name.strip():
        yield error("name", "The agent has no name.", "Give it one; operators see it.")
    if not _LANGUAGE.fullmatch(spec.language):
        yield error("language", f"'{spec.language}' is no language tag.", "Write it like en, de or pt-BR.")
    elif isinstance(spec, FlowSpec) and spec.language[:2].lower() not in words.LANGUAGES:
        hint = "Use choices with your own spoken forms instead of yes_no, and digits for numbers."
        yield warning(
            "language", f"Yes, no and number words are not known in '{spec.language}', only in English.", hint
        )
    quiet = spec.rules.quiet_hours
    of_rules = None if quiet is None else quiet.time_zone
    for where, zone in (("timezone", spec.timezone), ("rules.quiet_hours.time_zone", of_rules)):
        if zone is not None and find_zone(zone) is None:
            yield error(where, f"There is no time zone '{zone}'.", "Use an IANA name such as Europe/Berlin.")
    yield from _lint_variables(spec)
    if not spec.fallback.strip():
        yield error("fallback", "It is empty, so a failure would leave the contact in silence.", "Write a sentence.")
    yield from lint_message("fallback", spec.fallback, known)
    for field, use in (("opening_template", spec.opening_template), ("fallback_template", spec.fallback_template)):
        if use is not None:
            yield from _lint_template(field, use, known)


def _lint_variables(spec: AgentSpec) -> Iterator[Finding]:
    for name, variable in spec.variables.items():
        where = f"variables.{name}"
        if name in variables.SYSTEM:
            yield error(where, f"'{name}' is a name of the system, whose value wins.", "Choose another name.")
        if variable.required and variable.default is not None:
            yield warning(where, "It is required and has a default, which is used.", "Drop required, or the default.")
        if variable.max_length < 1:
            yield error(where, "max_length leaves no room for a value.", "Set it to 1 or more.")


def _lint_template(field: str, use: TemplateUse, known: frozenset[str]) -> Iterator[Finding]:
    if not _CONTENT_SID.fullmatch(use.content_sid):
        hint = "It is HX and 32 hexadecimal digits: `overture templates list` shows what there is."
        yield error(f"{field}.content_sid", f"'{use.content_sid[:40]}' is no Content SID.", hint)
    for place, text in use.variables.items():
        for name in dict.fromkeys(variables.names_in(text)):
            if name not in known:
                hint = f"Add '{name}' to variables, or correct the name."
                yield error(f"{field}.variables.{place}", f"'{name}' is not declared, so it would stay as it is.", hint)


def _lint_prompt(spec: PromptSpec, known: frozenset[str]) -> Iterator[Finding]:
    if not spec.instructions.strip():
        yield error("instructions", "They are empty.", "Say who the agent is, what it knows and what it must not do.")
    for match in variables.PLACEHOLDER.finditer(spec.instructions):
        name = variables.names_in(match.group())[0]
        if name not in known and not match.group().startswith("<"):  # angle brackets structure many prompts
            hint = f"Add '{name}' to variables, or leave it as it is where it is meant literally."
            yield warning("instructions", f"'{name}' is not declared and stays as it stands.", hint)
    if spec.greeting is not None:
        yield from lint_message("greeting", spec.greeting, known)
    if spec.greeting_mode == "static" and not (spec.greeting or "").strip():
        hint = "Write a greeting, or set greeting_mode to dynamic or human."
        yield warning("greeting", "It is missing, so the model composes the opening.", hint)
    if not spec.purpose.strip():
        hint = "Say in a sentence what the agent is for."
        yield warning("purpose", "It is empty, and WhatsApp forbids assistants without a business purpose.", hint)
    if spec.disclosure:
        yield from lint_message("disclosure", spec.disclosure, known)
    for place, reason in enumerate(spec.end_reasons):
        if not reason.strip() or "]" in reason or "\n" in reason:
            yield error(
                f"end_reasons[{place}]", "It cannot be named on one line.", "Write a few words without brackets."
            )
