"""Reading an agent that an author wrote: YAML or JSON text into a specification, or a sentence about what is wrong.

YAML is read with the rules of its version 1.2, because those of 1.1 surprise: there `no` is false, `12:30` is 750 and
`2026-11-22` a date, all of them words that people answer with. Aliases are refused: nine of them can hold a billion
lists. The text is taken as it is; files are opened elsewhere.
"""

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec
import yaml

from overture.domain.agent import (
    AgentSpec,
    Ask,
    FlowSpec,
    GlobalPhrase,
    HandOverRules,
    Node,
    Prompt,
    PromptSpec,
    Search,
    Variable,
)
from overture.domain.errors import Invalid
from overture.domain.tool import ExtractTool, HttpTool, Parameter

LONGEST: Final = 200_000  # characters; a flow of two hundred nodes has about thirty thousand
_DEEPEST: Final = 20  # nested levels; a specification needs six


class _Loader(yaml.SafeLoader):
    """YAML 1.2's core schema; no aliases, no merges, no key twice."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.get_mark()
            raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed; write it out", mark)
        self.depth += 1
        if self.depth > _DEEPEST:
            mark = self.get_mark()
            raise yaml.constructor.ConstructorError(None, None, f"it is nested deeper than {_DEEPEST} levels", mark)
        node: yaml.Node | None = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"'{key.value}' stands twice", key.start_mark)
            if isinstance(key, yaml.ScalarNode):
                seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"null|Null|NULL|~|", ["n", "N", "~", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), list(_first))


def read_spec(text: str, *, file: str = "agent") -> AgentSpec:
    """The specification that a YAML or JSON text holds.

    Raises Invalid (`agent_invalid`): its description names `file` and what is wrong, its field the path in the text.
    """
    return to_spec(read_fields(text, file=file), file=file)


def read_fields(text: str, *, file: str) -> object:
    """What a YAML or JSON text holds, whatever it is. Raises Invalid like `read_spec`."""
    try:
        return read_yaml(text, longest=LONGEST)
    except NotYamlError as problem:
        raise _invalid(file, None, str(problem), problem.hint) from problem


class NotYamlError(Exception):
    """A text is not what is read here; it says where and what, `hint` what to do."""

    def __init__(self, sentence: str, hint: str) -> None:
        super().__init__(sentence)
        self.hint: Final = hint


def read_yaml(text: str, *, longest: int) -> object:
    """What a YAML or JSON text of at most so many characters holds. Raises NotYamlError."""
    if len(text) > longest:
        raise NotYamlError(f"it has more than {longest} characters", "Split it, or shorten its texts.")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - a SafeLoader, made stricter
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise NotYamlError(f"{place}{problem.problem}", "Check the indentation and quotes there.") from problem
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        first = str(problem).partition("\n")[0]
        raise NotYamlError(f"it is not YAML: {first}", "Save it as UTF-8 text.") from problem


def to_spec(raw: object, *, file: str = "agent") -> AgentSpec:
    """The specification that decoded YAML or JSON holds. Raises Invalid like `read_spec`."""
    if not isinstance(raw, dict):
        raise _invalid(file, None, "it holds no fields", "Begin with kind: flow or kind: prompt.")
    if raw.get("kind") not in {"flow", "prompt"}:
        raise _invalid(file, "kind", f"kind is {raw.get('kind')!r}", "Write kind: flow or kind: prompt.")
    try:
        return msgspec.convert(raw, type=FlowSpec | PromptSpec)
    except msgspec.ValidationError as problem:
        path, sentence = _place(raw, problem)
        raise _invalid(file, path, sentence, _hint(sentence, path)) from problem


def _place(raw: dict[Any, Any], problem: msgspec.ValidationError) -> tuple[str | None, str]:
    """The path and the sentence of a problem. msgspec writes `[...]` for a key, so the named parts are tried alone."""
    sentence, _, path = str(problem).partition(" - at `$")
    path = path.removesuffix("`").removeprefix(".")
    parts: tuple[tuple[str, Any], ...] = (("nodes", Node), ("variables", Variable))
    for field, kind in parts:
        if not path.startswith(f"{field}[...]") or not isinstance(raw.get(field), dict):
            continue
        for name, part in raw[field].items():
            try:
                msgspec.convert(part, type=kind)
            except msgspec.ValidationError as inner:
                sentence, _, rest = str(inner).partition(" - at `$")
                return f"{field}.{name}{rest.removesuffix('`')}", sentence
    return path or None, sentence


_FIELDS: Final = re.compile(r"unknown field `(\w+)`")
_ANYWHERE: Final = (FlowSpec, PromptSpec, Node, GlobalPhrase)
_UNDER: Final[tuple[tuple[str, type[msgspec.Struct]], ...]] = (
    (".ask", Ask),
    (".prompt", Prompt),
    (".search", Search),
    ("hand_over", HandOverRules),
    (".parameters", Parameter),
)


def _hint(sentence: str, path: str | None) -> str:
    if unknown := _FIELDS.search(sentence):
        known = sorted({name for kind in _ANYWHERE for name in kind.__struct_encode_fields__})
        more = {name for _, kind in _UNDER for name in kind.__struct_encode_fields__}
        meant = get_close_matches(unknown[1], [*known, *sorted(more)], 1)
        first = f"Did you mean `{meant[0]}`?" if meant else "Correct its spelling or indentation."
        return f"{first} Fields are, among others: {', '.join(known)}."
    if "Expected `str`" in sentence:
        return "Put it in quotes."
    if "Invalid enum value" in sentence and path is not None and (values := _values(path)):
        return f"It is one of {', '.join(values)}."
    return "See docs/agents.md for what stands where."


def _values(path: str) -> list[str]:
    """What the field at a path may be, where that is one of a few words."""
    parent, _, name = path.rpartition(".")
    nearest = max(_UNDER, key=lambda under: parent.rfind(under[0]))
    kinds = [nearest[1]] if nearest[0] in parent else [*_ANYWHERE, HttpTool, ExtractTool]
    for kind in kinds:
        hint = get_type_hints(kind).get(name)
        for one in (hint, *get_args(hint)):
            if get_origin(one) is Literal:
                return [str(value) for value in get_args(one)]
            if isinstance(one, type) and issubclass(one, StrEnum):
                return [value.value for value in one]
    return []


def _invalid(file: str, path: str | None, sentence: str, hint: str) -> Invalid:
    where = f"{file}, {path}" if path else file
    return Invalid("agent_invalid", f"{where}: {sentence.rstrip('.')}.", field=path, hint=hint)
