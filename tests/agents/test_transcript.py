"""The chat API's transcript and log of states, from lines and turns."""

from datetime import UTC, datetime, timedelta

import pytest

from overture.agents.transcript import Turned, fsm_log, transcript
from overture.domain.agent import Json
from overture.domain.turn import Author, Line

BEGAN = datetime(2026, 1, 1, 10, 0, tzinfo=UTC)


def line(author: Author, text: str, second: int) -> Line:
    return Line(author=author, text=text, at=BEGAN + timedelta(seconds=second))


LINES = [
    line(Author.AGENT, "Hi there!", 0),
    line(Author.CONTACT, "hello", 3),
    line(Author.AGENT, "Your mail?", 5),
    line(Author.OPERATOR, "I take over.", 9),
]
TURNS = [Turned(at=BEGAN, path=("greeting_state",)), Turned(at=BEGAN + timedelta(seconds=5), path=("main_state",))]


def test_a_transcript_names_the_sides() -> None:
    assert transcript(LINES) == "Agent: Hi there!\nUser: hello\nAgent: Your mail?\nAgent: I take over."
    assert transcript([]) == ""


def log_of(**changed: object) -> dict[str, Json]:
    given: dict[str, object] = {
        "agent_id": "a1",
        "agent_name": "Concierge",
        "place": "main_state",
        "lines": LINES,
        "turns": TURNS,
        "slots": {"mail": "a@b.c", "list": [1, 2], "none": None},
    }
    log = fsm_log(**{**given, **changed})["a1"]  # type: ignore[arg-type] # the keywords are those of the function
    assert isinstance(log, dict)
    return log


def test_the_log_has_the_members_of_the_api_and_tells_what_happened() -> None:
    log = log_of()
    assert log.keys() == {
        "current_state",
        "current_turn",
        "event_summary",
        "events",
        "execution_stats",
        "fsm_metadata",
        "state_path",
        "variables",
    }
    assert log["current_state"] == "main_state"
    assert log["current_turn"] == "user"
    assert log["state_path"] == ["greeting_state", "main_state"]
    assert log["fsm_metadata"] == {"name": "Concierge"}
    assert log["event_summary"] == {
        "fsm_started": 1,
        "state_executed": 2,
        "utterance_sent": 3,
        "user_input": 1,
        "state_transition": 1,
    }
    assert log["execution_stats"] == {"commands_executed": 0, "state_transitions": 1, "total_events": 8}
    assert log["variables"] == {
        "mail": {"value": "a@b.c", "collected": True},
        "list": {"value": "1, 2", "collected": True},
        "none": {"value": "", "collected": True},
    }


def test_events_stand_in_order_of_time_with_their_place() -> None:
    events = log_of()["events"]
    assert isinstance(events, list)
    told = [(e["event_type"], e["state_id"], e["timestamp"]) for e in events if isinstance(e, dict)]
    at = 1767261600000  # 2026-01-01T10:00:00Z in milliseconds
    assert told == [
        ("fsm_started", "greeting_state", at),
        ("state_executed", "greeting_state", at),
        ("utterance_sent", "greeting_state", at),
        ("user_input", "greeting_state", at + 3000),
        ("state_transition", "main_state", at + 5000),
        ("state_executed", "main_state", at + 5000),
        ("utterance_sent", "main_state", at + 5000),
        ("utterance_sent", "main_state", at + 9000),
    ]


@pytest.mark.parametrize(("lines", "turns"), [([], []), (LINES, []), ([], TURNS), (LINES, [Turned(at=BEGAN, path=())])])
def test_a_conversation_that_hardly_began_has_a_log_too(lines: list[Line], turns: list[Turned]) -> None:
    assert log_of(lines=lines, turns=turns, slots={})["current_state"] == "main_state"


def test_after_the_contacts_line_it_is_the_agents_turn() -> None:
    assert log_of(lines=LINES[:2])["current_turn"] == "agent"
