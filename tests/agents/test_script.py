"""Scripts of agents: what may be written in several ways is one shape, and nonsense is told with its place."""

from datetime import timedelta

import pytest

from overture.agents.script import Crash, Model, Says, Silence, Step, Wait, Writes
from overture.agents.script_reading import read_length, read_script
from overture.domain.errors import Invalid

HEAD = "agent: salon.yaml\nconversations:\n  - name: books\n    steps:\n"


def steps(*lines: str) -> tuple[Step, ...]:
    script = read_script(HEAD + "".join(f"      - {line}\n" for line in lines), file="salon.test.yaml")
    [play] = script.plays
    return play.steps


@pytest.mark.parametrize(
    ("line", "act"),
    [
        ("agent: Hi", Says(contains="Hi")),
        ("agent: 12", Says(contains="12")),
        ("agent: [Hi, there]", Says(contains=["Hi", "there"])),
        ("agent: {equals: Hi, segments: 1}", Says(equals="Hi", segments=1)),
        ("contact: no", Writes(texts=["no"])),
        ("contact: 1", Writes(texts=["1"])),
        ("contact: [Hi, 1]", Writes(texts=["Hi", "1"])),
        ("contact: {tap: Yes}", Writes(tap="Yes")),
        ("wait: 73h", Wait(length=timedelta(hours=73))),
        ("silence: true", Silence(length=timedelta(minutes=1))),
        ("silence: 2h", Silence(length=timedelta(hours=2))),
        ("model: Hello", Model(text="Hello")),
        ("crash: true", Crash(where="answering")),
        ("crash: sending", Crash(where="sending")),
    ],
)
def test_a_step_may_be_written_shortly(line: str, act: object) -> None:
    [step] = steps(line)
    assert step.act == act


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("1h30m", timedelta(minutes=90)),
        ("3d", timedelta(days=3)),
        ("1d 2h", timedelta(hours=26)),
        ("400d", timedelta(days=400)),
        ("401d", None),
        ("0s", None),
        ("", None),
        ("5", None),
        ("-5m", None),
        ("h", None),
        ("99999999999999d", None),
        ("٣d", timedelta(days=3)),
    ],
)
def test_lengths_of_time_are_read_or_refused(text: str, length: timedelta | None) -> None:
    assert read_length(text) == length


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("agnt: Hi", "step 1: Object contains unknown field `agnt`"),
        ("{agent: Hi, contact: Ho}", "step 1: it is agent and contact at once"),
        ("{}", "step 1: it is empty"),
        ("Hi", "step 1: Expected `object`, got `str`"),
        ("agent: true", "step 1, agent: Expected"),
        ("agent: {segments: 0}", "step 1, agent.segments: Expected"),
        ("agent: {matches: '('}", "matches is no regular expression"),
        ("agent: {within: soon}", "'soon' is no length of time"),
        ("contact: ''", "step 1, contact: Expected"),
        ("contact: []", "step 1, contact: Expected"),
        ("contact: {}", "contact needs texts or tap, one of them"),
        ("contact: {texts: [a], tap: b}", "contact needs texts or tap, one of them"),
        ("wait: 3 weeks", "'3 weeks' is no length of time"),
        ("wait: 73", "step 1, wait: Expected"),
        ("silence: false", "silence is false"),
        ("crash: false", "crash is false"),
        ("crash: loudly", "step 1, crash: Invalid enum value 'loudly'"),
        ("provider: 200", "step 1, provider: Expected"),
        ("tool: {with: {}}", "step 1, tool: Object missing required field `name`"),
        ("tool: {name: book, fails: maybe}", "Invalid enum value 'maybe'"),
        ("state: {modus: bot}", "unknown field `modus`"),
    ],
)
def test_what_makes_no_sense_is_told_with_its_place(line: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        steps(line)
    assert refused.value.description.startswith("salon.test.yaml, conversation 1 ('books'), step 1")
    assert told in refused.value.description
    assert refused.value.hint


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "it holds no script"),
        ("[]", "it holds no script"),
        ("agent: a.yaml", "missing required field `conversations`"),
        ("agent: a.yaml\nconversations: []", "conversations: Expected `array` of length >= 1"),
        ("agent: a.yaml\nconversations: {}", "conversations: Expected `array`"),
        ("agent: a.yaml\nconversations: [{name: a, steps: []}]", "conversation 1 ('a'), steps"),
        ("agent: a.yaml\nconversations: [x]", "conversation 1: Expected `object`"),
        ("agent: *a", "aliases"),
        ("agent: [", "line 1"),
        ("agent: a\x00b", "not YAML"),
        ("now: 2026\nagent: a\nconversations: [{name: a, steps: [{agent: a}]}]", "now: Expected"),
        ("now: 2026-11-26T12:00:00\nagent: a\nconversations: [{name: a, steps: [{agent: a}]}]", "timezone"),
        ("agent: a\nconversations: [{name: a, steps: [{agent: a}]}, {name: a, steps: [{agent: a}]}]", "are called 'a'"),
        ("#" * 400_001, "more than 400000 characters"),
        ("[" * 100_000, "nested deeper"),
    ],
)
def test_a_file_that_is_no_script_is_told(text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_script(text, file="s.yaml")
    assert told in refused.value.description
    assert refused.value.description.startswith("s.yaml")
