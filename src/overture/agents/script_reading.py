"""Reading a script that an author wrote: YAML or JSON text into steps, or a sentence about what is wrong and where.

What may be written in several ways is one shape afterwards. The text is taken as it is; files are opened elsewhere.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from overture.agents import reading
from overture.agents.script import (
    NOON,
    Act,
    Crash,
    Fault,
    Model,
    People,
    PerMillion,
    Play,
    Says,
    Script,
    Silence,
    State,
    Step,
    Tool,
    Wait,
    Word,
    Writes,
)
from overture.domain.agent import Name
from overture.domain.errors import Invalid
from overture.domain.knowledge import KnowledgeName

LONGEST: Final = 400_000  # characters of a file
_LONGEST_WAIT: Final = timedelta(days=400)
_LENGTH: Final = re.compile(r"(?:(\d{1,5})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")

_Number = Annotated[str, Meta(pattern=r"^\+[1-9][0-9]{6,14}$")]


class _Written(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A step as it is written."""

    agent: str | Annotated[list[Word], Meta(min_length=1, max_length=20)] | Says | None = None
    contact: Word | Annotated[list[Word], Meta(min_length=1, max_length=50)] | Writes | None = None
    wait: str | None = None
    silence: bool | str | None = None
    tool: Tool | None = None
    model: str | Model | None = None
    provider: Annotated[int, Meta(ge=400, le=99_999)] | Literal["timeout"] | None = None
    crash: bool | Literal["answering", "sending"] | None = None
    people: People | None = None
    state: State | None = None


class _Given(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a conversation may set, and a file for all of its conversations."""

    variables: dict[Name, Any] = {}
    channel: Literal["sms", "whatsapp"] | None = None
    now: Annotated[datetime, Meta(tz=True)] | None = None
    contact: _Number | None = None
    opened_by: Literal["agent", "contact"] | None = None
    opening: Word | None = None
    window: Literal["open", "closed"] | None = None
    model_price: PerMillion | None = None


class _Conversation(_Given, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Word
    steps: Annotated[list[_Written], Meta(min_length=1, max_length=500)]


class _File(_Given, frozen=True, kw_only=True, forbid_unknown_fields=True):
    agent: Word
    conversations: Annotated[list[_Conversation], Meta(min_length=1, max_length=200)]
    cassette: Word | None = None
    knowledge: dict[KnowledgeName, Word] = {}


def read_script(text: str, *, file: str) -> Script:
    """The script that a YAML or JSON text holds. Raises Invalid, whose description names `file`, the place and why."""
    try:
        raw = reading.read_yaml(text, longest=LONGEST)
    except reading.NotYamlError as problem:
        raise _invalid(f"{file}: {problem}", problem.hint) from problem
    if not isinstance(raw, dict):
        raise _invalid(f"{file}: it holds no script", "Begin with agent: FILE, and conversations: below it.")
    try:
        written = msgspec.convert(_spelled(raw), type=_File)
    except msgspec.ValidationError as problem:
        sentence, _, path = str(problem).partition(" - at `$")
        raise _invalid(f"{_place(file, raw, path.removesuffix('`'))}: {sentence}", _hint(sentence)) from problem
    names = [one.name for one in written.conversations]
    if twice := next((name for n, name in enumerate(names) if name in names[:n]), None):
        raise _invalid(f"{file}: two conversations are called {twice!r}", "Give each a name of its own.")
    plays = tuple(_play(file, written, n, one) for n, one in enumerate(written.conversations))
    return Script(agent=written.agent, plays=plays, cassette=written.cassette, knowledge=written.knowledge)


def read_length(text: str) -> timedelta | None:
    """The length of time that a text writes ("90s", "1h30m", "3d"), None where it writes none that can be waited."""
    found = _LENGTH.fullmatch(text.strip().replace(" ", ""))
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    length = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
    return length if timedelta(0) < length <= _LONGEST_WAIT else None


def _spelled(raw: dict[Any, Any]) -> dict[Any, Any]:
    """What YAML has as a number where a number's text may stand: `contact: 1` is what a contact writes."""
    plays = raw.get("conversations")
    if not isinstance(plays, list):
        return raw
    return {**raw, "conversations": [_spelled_play(play) for play in plays]}


def _spelled_play(play: Any) -> Any:
    if not isinstance(play, dict) or not isinstance(play.get("steps"), list):
        return play
    return {**play, "steps": [_spelled_step(step) for step in play["steps"]]}


def _spelled_step(step: Any) -> Any:
    if not isinstance(step, dict):
        return step
    spelled = dict(step)
    for key in ("agent", "contact"):
        match step.get(key):
            case bool():
                pass
            case int() as number:
                spelled[key] = str(number)
            case list() as lines:
                spelled[key] = [str(line) if type(line) is int else line for line in lines]
            case _:
                pass
    return spelled


def _play(file: str, written: _File, n: int, one: _Conversation) -> Play:
    steps = tuple(_step(file, n, one, at, step) for at, step in enumerate(one.steps))
    return Play(
        name=one.name,
        steps=steps,
        variables={**written.variables, **one.variables},
        channel=one.channel or written.channel or "sms",
        now=(one.now or written.now or NOON).astimezone(UTC),
        contact=one.contact or written.contact or "+15550100001",
        opened_by=one.opened_by or written.opened_by or "agent",
        opening=one.opening or written.opening,
        window=(one.window or written.window) == "open",
        model_price=one.model_price or written.model_price,
    )


def _step(file: str, n: int, one: _Conversation, at: int, step: _Written) -> Step:
    where = f"{file}, conversation {n + 1} ({one.name!r}), step {at + 1}"
    given = [key for key in step.__struct_fields__ if getattr(step, key) is not None]
    if len(given) != 1:
        told = f"it is {' and '.join(given)} at once" if given else "it is empty"
        raise _invalid(f"{where}: {told}", f"A step is one of {', '.join(step.__struct_fields__)}.")
    [key] = given
    return Step(key=key, act=_act(where, key, getattr(step, key)))


def _act(where: str, key: str, value: Any) -> Act:
    match key, value:
        case "agent", str() | list():
            return Says(contains=value)
        case "agent", Says():
            _check_pattern(where, value.matches)
            _length(where, value.within or "1s")
            return value
        case "contact", str():
            return Writes(texts=[value])
        case "contact", list():
            return Writes(texts=value)
        case "contact", Writes() if (value.tap is None) == (not value.texts):
            raise _invalid(f"{where}: contact needs texts or tap, one of them", "contact: TEXT is the short form.")
        case (("silence" | "crash"), False):
            raise _invalid(f"{where}: {key} is false", "Leave the step out.")
        case "wait", str():
            return Wait(length=_length(where, value))
        case "silence", _:
            return Silence(length=_length(where, "1m" if value is True else value))
        case "model", str():
            return Model(text=value)
        case "provider", _:
            return Fault(code=value)
        case "crash", _:
            return Crash(where="answering" if value is True else value)
        case _:
            found: Act = value
            return found


def _check_pattern(where: str, pattern: str | None) -> None:
    try:
        re.compile(pattern or "")
    except (re.error, RecursionError, OverflowError) as wrong:
        hint = "See the syntax of Python's `re`."
        raise _invalid(f"{where}: matches is no regular expression: {wrong}", hint) from wrong


def _length(where: str, text: str) -> timedelta:
    length = read_length(text)
    if length is None:
        raise _invalid(f"{where}: {text!r} is no length of time", "Write 90s, 15m, 1h30m or 3d; at most 400 days.")
    return length


_PATH: Final = re.compile(r"\.conversations\[(\d+)\](?:\.steps\[(\d+)\])?(.*)")


def _place(file: str, raw: dict[Any, Any], path: str) -> str:
    """A path in the file, in the words of its author."""
    found = _PATH.fullmatch(path)
    if found is None:
        return f"{file}, {path.removeprefix('.')}" if path else file
    n, step, rest = int(found[1]), found[2], found[3].removeprefix(".")
    play = raw["conversations"][n]
    name = play.get("name") if isinstance(play, dict) else None
    called = f" ({name!r})" if isinstance(name, str) else ""
    counted = [] if step is None else [f"step {int(step) + 1}"]
    return ", ".join([file, f"conversation {n + 1}{called}", *counted, *([rest] if rest else [])])


def _hint(sentence: str) -> str:
    if "unknown field" in sentence:
        return f"Correct its spelling or indentation. A step is one of {', '.join(_Written.__struct_fields__)}."
    if "Expected `str`" in sentence:
        return "Put it in quotes."
    return "docs/agents-testing.md says what stands where."


def _invalid(sentence: str, hint: str) -> Invalid:
    return Invalid("script_invalid", f"{sentence.rstrip('.')}.", hint=hint)
