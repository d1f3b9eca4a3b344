"""`overture test` and `overture agents chat`: conversations by a script, through the real store and the real roads."""

import asyncio
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from overture.agents.script import People, Says
from overture.agents.script_reading import read_script
from overture.cli.record import write_script
from overture.domain.channel import Channel
from overture.domain.conversation import Mode
from overture.domain.message import Author, Direction
from overture.web.api.conversations import MessageView
from overture.web.api.people_shapes import ConversationView
from tests.architecture.tree import ROOT
from tests.cli.commands import environment, overture
from tests.cli.models import model
from tests.cli.test_conversations import a_conversation
from tests.cli.test_deliveries import EVIL, in_database

SHIPPED = sorted((ROOT / "agents").glob("*.test.yaml"))
BOOKING = ROOT / "agents" / "booking.test.yaml"
SALON = """
kind: flow
name: Salon
nodes:
  start:
    say: "Hello {name|there}! Which day?"
    ask: {slot: day}
    goto: done
  done: {say: "See you on {day}.", end: completed}
variables: {name: {}}
"""
BOOKER = """
kind: flow
name: Booker
tools:
  - name: free
    kind: http
    url: https://salon.example/free/{day}
    parameters: {day: {required: true}}
    save: {time: "$.time"}
  - name: book
    kind: http
    method: POST
    url: https://salon.example/bookings
    parameters: {day: {required: true}, time: {}, people: {type: integer}}
    body: {when: {day: "{day}", time: "{time}"}, people: "{people}"}
    save: {reference: "$.reference"}
nodes:
  start: {say: "Which day?", ask: {slot: day}, goto: look}
  look:
    call: {tool: free, with: {day: "{day}"}}
    then: [{if: tool.ok, goto: book}, {goto: sorry}]
  book:
    call: {tool: book, with: {day: "{day}", time: "{time}", people: 2}}
    then: [{if: tool.ok, goto: done}, {goto: unsure}]
  done: {say: "Booked at {time}: {reference}.", end: completed}
  sorry: {say: "Sorry, nothing is free.", end: completed}
  unsure: {say: "I am not sure that worked.", hand_over: "Unsure about {day}"}
"""


def script(folder: Path, *steps: str, agent: str = SALON, head: str = "") -> Path:
    """A script of one conversation with these steps, and its agent beside it."""
    (folder / "agent.yaml").write_text(agent)
    path = folder / "agent.test.yaml"
    lines = "".join(f"      - {step}\n" for step in steps)
    path.write_text(f"agent: agent.yaml\n{head}\nconversations:\n  - name: a talk\n    steps:\n{lines}")
    return path


def played(folder: Path, talks: Mapping[str, tuple[str, Sequence[str]]], agent: str = SALON) -> dict[str, str]:
    """What is told of each conversation, a head and steps by its name; nothing where it is good. One run plays all."""
    (folder / "agent.yaml").write_text(agent)
    told = ["agent: agent.yaml", "conversations:"]
    for name, (head, steps) in talks.items():
        told += [f"  - name: {name}", *(f"    {line}" for line in head.splitlines()), "    steps:"]
        told += [f"      - {step}" for step in steps]
    (folder / "agent.test.yaml").write_text("\n".join(told))
    run = overture(folder, "test", "agent.test.yaml", "--junit", "out.xml")
    assert "Traceback" not in run.stderr
    cases = ET.parse(folder / "out.xml").getroot().iter("testcase")
    found = {str(case.get("name")): case.findtext("failure") or case.findtext("error") or "" for case in cases}
    assert found.keys() == talks.keys(), found
    assert run.returncode == int(any(found.values()))
    return found


def test_the_shipped_scripts_pass(tmp_path: Path) -> None:
    run = overture(tmp_path, "test", *SHIPPED)
    assert (run.returncode, "FAILED" in run.stdout) == (0, False), run.stdout + run.stderr


def test_every_shipped_agent_has_a_script() -> None:
    agents = {path.name for path in (ROOT / "agents").glob("*.yaml")} - {path.name for path in SHIPPED}
    assert {path.name.replace(".test.", ".") for path in SHIPPED} == agents


def test_two_runs_print_the_same(tmp_path: Path) -> None:
    one, other = (
        overture(tmp_path, "test", "-v", SHIPPED[0], "--only", "confirmed").stdout.splitlines() for _ in range(2)
    )
    assert [line.split(" (")[0] for line in one] == [line.split(" (")[0] for line in other]


OTHERWISE: list[tuple[list[str], list[str]]] = [
    (["agent: Goodbye"], ["step 1 (agent): The agent says something else.", "'Goodbye'", "it says    'Hello there!"]),
    (
        ['agent: {equals: "Hello here! Which day?"}'],
        ["  expected   Hello here! Which day?\n  found      Hello there! Which day?\n" + " " * 19 + "^"],
    ),
    (["agent: Hello", "agent: more"], ["step 2 (agent): The agent says nothing within 10m.", "contains 'more'"]),
    (["agent: Hello", "agent: {within: 5s}"], ["says nothing within 5s"]),
    (["contact: Friday"], ["step 1 (contact): The agent says something that no step expects."]),
    (["silence: 1m"], ["step 1 (silence): The agent says something that no step expects."]),
    (["agent: Hello", "contact: Friday"], ["the end: The agent says something that no step expects."]),
    (["agent: {segments: 2}"], ["segments: expected 2, found 1"]),
    (["agent: {options: [a, b]}"], ['options: expected ["a", "b"], found []']),
    (["agent: {template: HX1}"], ['template: expected "HX1", found nothing']),
    (["agent: {matches: '^Hi'}"], ["a message that matches '^Hi'"]),
    (["agent: Hello", "state: {ended: completed}"], ['ended: expected "completed", found nothing']),
    (["agent: Hello", "state: {slots: {day: Friday}}"], ['slot day: expected "Friday", found nothing']),
    (["agent: Hello", "state: {model_requests: 1}"], ["model_requests: expected 1, found 0"]),
    (["agent: Hello", "state: {most_cost: 1}"], ['cost: expected "at most 1.0", found "no model_price"']),
    (["agent: Hello", "state: {note: Bo}"], ['note: expected "Bo", found nothing']),
    (["agent: Hello", "people: {write: Hi}"], ["That is refused", "take_over"]),
    (["agent: Hello", "model: Hi"], ["What the script prepares never happened: an answer of the model."]),
    (["agent: Hello", "provider: 500"], ["never happened: the provider's fault 500"]),
    (["agent: Hello", "crash: true"], ["never happened: a crash"]),
]


def test_what_is_otherwise_is_told_with_the_conversation_so_far(tmp_path: Path) -> None:
    found = played(tmp_path, {f"talk {n}": ("", steps) for n, (steps, _) in enumerate(OTHERWISE)})
    for (steps, parts), told in zip(OTHERWISE, found.values(), strict=True):
        assert told.startswith("12:00:00  agent    Hello there! Which day?"), (steps, told)
        assert [part for part in parts if part not in told] == [], (steps, told)


WORST: dict[str, tuple[str, list[str]]] = {
    "dies answering": (
        "",
        ["agent: Hello", "crash: true", "contact: Friday", "agent: See you", "silence: 1h", "state: {messages: 2}"],
    ),
    "dies sending": ("", ["agent: Hello", "crash: sending", "contact: Friday", "agent: See you", "silence: 1h"]),
    "silent": ("", ["provider: timeout", "agent: Hello", "silence: 1h", "state: {messages: 1}"]),
    "broken": ("", ["provider: 500", "agent: Hello", "silence: 1h", "state: {messages: 1}"]),
    "busy": ("", ["provider: 429", "agent: Hello", "silence: 1h"]),
    "opted out": ("", ["provider: 21610", "silence: 1h", "state: {ended: opt_out, messages: 0}"]),
    "unreachable": ("", ["provider: 30005", "silence: 1m", "state: {messages: 0}"]),
    "burst": ("", ["agent: Hello", "contact: [on, Friday]", "agent: See you", "silence: 1h"]),
    "inactive": ("", ["agent: Hello", "wait: 73h", "state: {ended: inactivity_timeout}"]),
    "taken": ("", ["agent: Hello", "people: {take_over: true, write: Hi}", "contact: Friday", "silence: 1h"]),
    "back": (
        "",
        ["agent: Hello", "people: {take_over: true}", "contact: Mo", "people: {hand_back: true}", "agent: See"],
    ),
    "tapped": (
        "channel: whatsapp\nwindow: open",
        ["agent: Hello", "contact: {tap: Friday}", "agent: See you on Friday"],
    ),
    "begun": ("channel: whatsapp\nopened_by: contact", ["contact: hi", "agent: {}", "silence: 1m"]),
    "opened": ("opening: Dear Ada", ["agent: {equals: Dear Ada}"]),
    "named": ("variables: {name: Ada}\nnow: 2026-03-03T12:00:00+01:00", ["agent: Hello Ada"]),
}


def test_the_world_may_do_its_worst_and_each_message_arrives_once(tmp_path: Path) -> None:
    assert {name: told for name, told in played(tmp_path, WORST).items() if told} == {}


def test_what_does_not_open_is_told(tmp_path: Path) -> None:
    found = played(tmp_path, {"a talk": ("channel: whatsapp", ["agent: Hello"])})
    assert "The conversation does not open: " in found["a talk"]


FREE, BOOK = "tool: {name: free, answers: {time: '9am'}}", "tool: {name: book, answers: {reference: R1}}"
TOOLS: list[tuple[list[str], str]] = [
    (
        [
            "tool: {name: free, with: {day: Friday}, answers: {time: '9am'}}",
            "tool: {name: book, with: {day: Friday, time: 9am, people: 2}, answers: {reference: R1}}",
            "agent: 'Booked at 9am: R1.'",
            "state: {slots: {reference: R1}}",
        ],
        "",
    ),
    (["crash: answering", FREE, BOOK, "agent: 'Booked at 9am: R1.'"], ""),
    ([FREE, "tool: {name: book, fails: timeout}", "agent: not sure"], ""),
    (["tool: {name: free, fails: 503}", "agent: Sorry"], ""),
    (["tool: {name: free, fails: unreachable}", "agent: Sorry"], ""),
    (["agent: Sorry"], "The agent calls free(day='Friday'), and the script has no answer for it"),
    (["tool: {name: book}", "agent: Sorry"], "calls free(day='Friday'), and the script expects book."),
    (["tool: {name: free, with: {day: Monday}}", "agent: Sorry"], "day is 'Friday' and should be 'Monday'"),
]


def test_tools_answer_by_the_script_and_strictly(tmp_path: Path) -> None:
    begun = ["agent: Which day", "contact: Friday"]
    talks = {f"talk {n}": ("", begun + steps) for n, (steps, _) in enumerate(TOOLS)}
    for (steps, expected), told in zip(TOOLS, played(tmp_path, talks, BOOKER).values(), strict=True):
        assert (expected in told, bool(expected)) == (True, bool(told)), (steps, told)


def test_what_cannot_be_played_is_a_sentence(tmp_path: Path) -> None:
    broken = script(tmp_path, "agent: Hello", agent="kind: flow\nname: A\nnodes: {start: {say: Hi, goto: no}}\n")
    missing, binary, empty = tmp_path / "missing.yaml", tmp_path / "binary.yaml", tmp_path / "empty.yaml"
    alone, huge = tmp_path / "alone.yaml", tmp_path / "huge.yaml"
    alone.write_text("agent: nobody.yaml\nconversations: [{name: a, steps: [{agent: Hi}]}]\n")
    binary.write_bytes(b"\xff\xfe")
    empty.write_bytes(b"")
    huge.write_bytes(b"#" * 1_700_000)
    run = overture(tmp_path, "test", broken, missing, binary, empty, alone, huge)
    assert run.returncode == 1
    assert "6 files could not be played." in run.stderr
    for told in (
        "agent.yaml, nodes.start",
        "missing.yaml cannot be read",
        "binary.yaml is not UTF-8 text",
        "empty.yaml: it holds no script",
        "nobody.yaml cannot be read",
        "huge.yaml is too large",
    ):
        assert told in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


def test_only_the_conversations_that_are_asked_for_are_played(tmp_path: Path) -> None:
    run = overture(tmp_path, "test", BOOKING, "--only", "HAIRCUT")
    assert "1 conversation in 1 file: 1 good, 0 failed." in run.stdout
    run = overture(tmp_path, "test", BOOKING, "--only", "nothing like it")
    assert (run.returncode, "No conversation's name contains" in run.stderr) == (2, True)


def test_the_results_are_written_for_a_build_server(tmp_path: Path) -> None:
    path = script(tmp_path, 'agent: "<&\\x07"')
    run = overture(tmp_path, "test", path, SHIPPED[0], tmp_path / "no.yaml", "--junit", "out.xml")
    assert run.returncode == 1
    suites = ET.parse(tmp_path / "out.xml").getroot().findall("testsuite")
    assert [(one.get("failures"), one.get("errors")) for one in suites] == [("1", "0"), ("0", "0"), ("0", "1")]
    failure = suites[0].find("testcase/failure")
    assert failure is not None
    assert "Hello there! Which day?" in (failure.text or "")
    run = overture(tmp_path, "test", path, "--junit", "no/out.xml")
    assert (run.returncode, "no/out.xml cannot be written" in run.stderr) == (1, True)


def chat(folder: Path, typed: bytes, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "overture.cli", "agents", "chat", *arguments]
    return subprocess.run(command, cwd=folder, env=environment(), input=typed, capture_output=True, check=False)


def test_an_author_talks_with_an_agent_on_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(BOOKER)
    typed = (
        b"/wait x\n/what\n\n/state\nFri\xff\n" + b'{"time": "9am"}\n' + b"503\n/state\n/wait 4d\n/tap\n/quit\nmore\n"
    )
    run = chat(tmp_path, typed, "agent.yaml")
    assert (run.returncode, run.stderr) == (0, b""), run.stderr
    output = run.stdout.decode()
    for told in (
        "Which day?",
        "at most 400 days",
        "bot, at its beginning",
        "calls free(day='Fri?')",
        "calls book(",
        "not sure that",
    ):
        assert told in output
    assert "human, at unsure, 'Unsure about Fri?'" in output


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["no.yaml"], "no.yaml cannot be read"),
        (["agent.yaml", "--channel", "fax"], "'fax' is none of sms, whatsapp."),
        (["agent.yaml", "--variable", "name"], "'name' is no NAME=VALUE."),
    ],
)
def test_a_chat_that_cannot_be_is_a_sentence(tmp_path: Path, arguments: list[str], told: str) -> None:
    (tmp_path / "agent.yaml").write_text(SALON)
    run = overture(tmp_path, "agents", "chat", *arguments)
    assert (run.returncode, told in run.stderr) == (2, True), run.stderr


GUIDE = "kind: prompt\nname: Guide\ngreeting: Hello guest.\ninstructions: Help guests of the house.\n"


def test_who_answers_for_a_model_may_leave_as_well(tmp_path: Path) -> None:
    (tmp_path / "agent.yaml").write_text(GUIDE)
    run = chat(tmp_path, b"Breakfast?\n/quit\nnever read\n", "agent.yaml")
    said = run.stdout.decode()
    assert (run.returncode, "agent    /quit" in said, "never read" in said) == (0, False, False), said


async def test_a_cassette_answers_as_a_model_did_once_and_strictly(tmp_path: Path) -> None:
    path = script(tmp_path, "agent: Hello", "contact: Breakfast?", "agent: From seven", agent=GUIDE, head="cassette: c")
    missing = await asyncio.to_thread(overture, tmp_path, "test", path)
    unset = await asyncio.to_thread(overture, tmp_path, "test", path, "--record")
    async with model(says="From seven.") as url:
        models = {"OVERTURE_MODEL_BASE_URL": url, "OVERTURE_MODEL_NAME": "small-1"}
        recorded = await asyncio.to_thread(overture, tmp_path, "test", path, "--record", **models)
    played_again = await asyncio.to_thread(overture, tmp_path, "test", path, "-v")
    assert (missing.returncode, "`overture test --record` writes it" in missing.stdout) == (1, True)
    assert (unset.returncode, "The settings name no model to record." in unset.stderr) == (1, True)
    assert (recorded.returncode, "c: 1 answer\n" in recorded.stdout) == (0, True), recorded.stdout
    assert (played_again.returncode, "(the cassette answers 'From seven.')" in played_again.stdout) == (0, True)
    script(tmp_path, "agent: Hello", "contact: Dinner?", "agent: {}", agent=GUIDE, head="cassette: c")
    differing = await asyncio.to_thread(overture, tmp_path, "test", path)
    assert "what the cassette has no answer for" in differing.stdout
    assert "-    user: Breakfast?" in differing.stdout
    assert "+    user: Dinner?" in differing.stdout
    for text, told in ((b"{", "c, line 1"), (b"\xff\n", "c, line 1"), (changed(tmp_path / "c"), "was changed")):
        (tmp_path / "c").write_bytes(text)
        broken = await asyncio.to_thread(overture, tmp_path, "test", path)
        assert (broken.returncode, told in broken.stdout, "Traceback" in broken.stderr) == (1, True, False)


def changed(file: Path) -> bytes:
    return file.read_bytes().replace(b"Breakfast", b"Supper")


def test_a_conversation_that_took_place_becomes_a_script(tmp_path: Path) -> None:
    an_id = in_database(tmp_path, a_conversation)
    said = overture(tmp_path, "conversations", "write", an_id, "Bo here.", "--by", "Bo")
    assert said.returncode == 0, said.stderr
    run = overture(tmp_path, "agents", "record", an_id, "--out", "talk.test.yaml")
    assert "talk.test.yaml: 2 lines" in run.stdout, run.stderr
    written = read_script((tmp_path / "talk.test.yaml").read_text(), file="talk.test.yaml")
    [play] = written.plays
    assert (written.agent, play.opening) == ("booker.yaml", EVIL)
    assert [step.act for step in play.steps] == [Says(equals=EVIL), People(take_over=True, write="Bo here.")]
    (tmp_path / "booker.yaml").write_text(SALON)
    played_again = overture(tmp_path, "test", "talk.test.yaml")
    assert played_again.returncode == 0, played_again.stdout
    assert "looked for as booker.yaml" in run.stdout
    unknown = overture(tmp_path, "agents", "record", "nobody")
    assert (unknown.returncode, "does not exist" in unknown.stderr) == (1, True), unknown.stderr


def test_what_an_agent_said_after_a_person_is_said_after_a_hand_back() -> None:
    at = datetime(2026, 11, 26, 12, tzinfo=UTC)
    said = [
        (Author.AGENT, "Hi"),
        (Author.OPERATOR, "Bo here."),
        (Author.OPERATOR, "Which?"),
        (Author.CONTACT, "Red"),
        (Author.AGENT, "When?"),
    ]
    lines = [
        MessageView(
            id="1",
            seq=1,
            direction=Direction.OUT,
            author=author,
            text=text,
            status=None,
            error_code=None,
            reason=None,
            possible_duplicate=False,
            created_at=at,
        )
        for author, text in said
    ]
    one = ConversationView(
        conversation_id="1",
        agent_id="1",
        channel=Channel.SMS,
        mode=Mode.BOT,
        note=None,
        taken_by=None,
        taken_at=None,
        waits_since=None,
        waits_seconds=None,
        contact_number=None,
        contact_name=None,
        sender_number=None,
        created_at=at,
        last_activity_at=at,
        end_reason=None,
    )
    [play] = read_script(write_script(one, lines, agent="booker.yaml"), file="talk.test.yaml").plays
    acts = [step.act for step in play.steps]
    assert acts[1:3] == [People(take_over=True, write="Bo here."), People(take_over=True, write="Which?")]
    assert acts[4:] == [People(hand_back=True), Says(equals="When?")]
