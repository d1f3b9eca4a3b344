"""The agents in the repository's folder: clean to the linter, and played to each of their ends."""

import pytest

from overture.agents import kinds, lint, reading, variables
from overture.domain import segments
from overture.domain.agent import AgentSpec, FlowSpec, Json, PromptSpec
from overture.domain.channel import Channel
from overture.domain.turn import Began, End, HandOver
from tests.agents.playing import AGENTS, Play

FILES = sorted(path for path in AGENTS.glob("*.yaml") if not path.name.endswith(".test.yaml"))
GIVEN: dict[str, Json] = {"customer_name": "Ana", "appointment": "Tuesday 3 March, 3pm", "guest_name": "Ana"}


def shipped(name: str) -> AgentSpec:
    return reading.read_spec((AGENTS / name).read_text(encoding="utf-8"), file=name)


def values_of(spec: AgentSpec, given: dict[str, Json] | None = None) -> dict[str, Json]:
    resolved = variables.resolve(spec, GIVEN if given is None else given, {})
    assert isinstance(resolved, dict)
    return resolved


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_linter_finds_nothing(file: str) -> None:
    assert lint.lint(shipped(getattr(file, "name", file))) == []


def test_their_ids_are_the_documented_ones() -> None:
    assert {file.name: shipped(file.name).id for file in FILES} == {
        "appointment-desk.yaml": "93c1e7d4-2f68-4a05-b7de-5a8f0c6b1d72",
        "appointment-desk-by-model.yaml": "4e8d2b90-7c15-4f3a-8d06-b1f97e53c2a8",
        "appointment-reminder.yaml": "0b6f0a52-6f0e-4c0b-9a53-6f2f6f1d2a11",
        "booking.yaml": "2a886b7d-d52d-4f8b-8ea0-19d3edc79214",
        "concierge.yaml": "5f1c2d3e-4b5a-4c6d-8e7f-90a1b2c3d4e5",
        "support.yaml": "7d3b8c52-90ae-4f7e-8a61-4c9b2f0d1e33",
        "support-by-model.yaml": "1c0f4a6e-5d27-4b8b-9f3a-6e2d7a90b844",
    }


@pytest.mark.parametrize("name", ["appointment-reminder.yaml", "booking.yaml"])
def test_every_text_of_a_flow_is_one_sms(name: str) -> None:
    spec = shipped(name)
    assert isinstance(spec, FlowSpec)
    values = {
        **values_of(spec),
        "service": "beard trim",
        "day": "next Friday",
        "time": "10am",
        "wanted": "Friday at 10",
    }
    texts = [text for node in spec.nodes.values() for text in (node.say, node.ask and node.ask.reask) if text]
    for text in [*texts, *(phrase.say for phrase in spec.globals if phrase.say)]:
        assert segments.count(variables.fill_message(text, values)) == 1, text


def play(name: str, texts: list[str], *, opening: str | None = None, given: dict[str, Json] | None = None) -> Play:
    """A conversation that is open until the last text."""
    spec = shipped(name)
    played = Play(spec, values_of(spec, given))
    assert played.finishes(Began(opening=opening)).control is None
    for text in texts:
        assert played.hears(text).control is None, text
    return played


CALLED_OFF = ["I have to cancel"]


@pytest.mark.parametrize(
    ("texts", "last", "says", "control"),
    [
        ([], "1", "Thank you Ana, that is confirmed. See you on Tuesday 3 March, 3pm!", End()),
        ([], "Yes", "confirmed", End()),
        ([], "I'll be there 👍", "confirmed", End()),
        (["what?"], "confirm", "confirmed", End()),
        (
            ["2"],
            "Friday\nafter 2",
            "Friday after 2",
            HandOver(note="Ana wants to move the appointment on Tuesday 3 March, 3pm. Wish: Friday after 2"),
        ),
        (["no, I'd like it later", "move it"], "Friday", "A colleague will look", None),
        (["3"], "yes", "It is called off", End()),
        (CALLED_OFF, "Yes please", "It is called off", End()),
        (CALLED_OFF, "no", "your appointment stays", End()),
        (["which appointment?"], "1", "confirmed", End()),
        ([], "I want to talk to a human", "A colleague will read this", None),
        (["hm", "hm"], "hm", "A colleague will read this", HandOver(note="Not understood 3 times at 'start'.")),
    ],
)
def test_the_reminder_reaches_each_of_its_ends(
    texts: list[str], last: str, says: str, control: End | HandOver | None
) -> None:
    finish = play("appointment-reminder.yaml", texts).hears(last)
    assert says in " ".join(finish.replies)
    assert finish.control == control if control else isinstance(finish.control, HandOver)


def test_the_reminder_needs_an_appointment() -> None:
    assert variables.resolve(shipped("appointment-reminder.yaml"), {}, {}) == variables.Missing(names=("appointment",))


BOOKED = ["I'd like to book an appointment", "1", "next Friday", "10am"]


@pytest.mark.parametrize(
    ("texts", "last", "says", "ends"),
    [
        (BOOKED, "yes", "You are down for a haircut: next Friday, 10am.", True),
        (["book a haircut please", "Friday", "3pm"], "Yes, book it", "down for a haircut: Friday, 3pm", True),
        (["Can I reserve something?", "the second one", "Friday", "3pm"], "ok", "a colour: Friday", True),
        (["Hi", "beard", "Friday", "3pm"], "👍", "a beard trim", True),
        (["When are you open?", "how much is a haircut?", "where are you?", *BOOKED], "yes", "haircut", True),
        ([*BOOKED, "how much is it?"], "yes", "haircut", True),
        ([*BOOKED, "no", "the day", "Saturday"], "yes", "haircut: Saturday, 10am", True),
        ([*BOOKED, "no", "3", "noon"], "yes", "haircut: next Friday, noon", True),
        ([*BOOKED, "no", "1", "colour"], "yes", "colour: next Friday, 10am", True),
        ([*BOOKED, "no", "name", "Bo"], "yes", "Thank you, Bo!", True),
        ([*BOOKED, "no"], "leave it", "No problem at all", True),
        ([], "no thanks", "No problem at all", True),
        (["book", "colour", "start over"], "nothing", "No problem at all", True),
        ([*BOOKED], "can I speak to someone", "A colleague will write", False),
        ([], "I need to change my appointment", "A colleague will write", False),
        (["hm", "hm", "hm"], "hm", "A colleague will write", False),
    ],
)
@pytest.mark.parametrize("opening", [None, "Hi! How can I help you today?"])
def test_the_booking_reaches_each_of_its_ends(
    texts: list[str], last: str, says: str, ends: bool, opening: str | None
) -> None:
    finish = play("booking.yaml", texts, opening=opening).hears(last)
    assert says in " ".join(finish.replies)
    assert isinstance(finish.control, End if ends else HandOver)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("I'd like to book a haircut for tomorrow", "day"),
        ("Book me an appointment for a beard trim", "day"),
        ("can I get a haircut tomorrow at 3?", "day"),
        ("could you fit me in for a quick trim?", "day"),
        ("I need my hair cut asap", "day"),
        ("can i come in tomorrow", "service"),
        ("I want to make an appointment", "service"),
        ("Can I reserve a slot", "service"),
        ("yes", "service"),
        ("no", "bye"),
        ("I want a haircut and a beard trim", "start"),
        ("do you take cards?", "start"),
    ],
)
def test_the_booking_understands_free_requests_after_any_opening(text: str, place: str) -> None:
    finish = play("booking.yaml", [], opening="Hi! How can I help you today?").hears(text)
    assert (finish.place, bool(finish.replies)) == (place, True)


def test_the_booking_asks_for_a_name_that_it_does_not_know() -> None:
    played = play("booking.yaml", BOOKED, given={})
    assert played.hears("Ana Maria").replies == (
        "So that is a haircut for Ana Maria, next Friday, 10am. Shall I book it? Please answer yes or no.",
    )
    assert "Ana Maria" in played.hears("yes").replies[0]


def test_questions_on_the_way_are_answered_and_the_open_question_comes_back() -> None:
    finish = play("booking.yaml", ["book", "2"]).hears("what are your opening hours?")
    assert finish.replies == (
        "We are open Tuesday to Saturday, 9am to 6pm.",
        "Which day suits you? For example: next Friday.",
    )


def test_the_concierge_greets_and_says_what_it_is() -> None:
    spec = shipped("concierge.yaml")
    assert isinstance(spec, PromptSpec)
    assert kinds.greeting(spec, values_of(spec)) == (
        "(I am an automated assistant.) Hi Ana, this is the concierge of Harbour House. "
        "How can I make your stay a pleasure?"
    )


def test_a_carrier_never_takes_an_answer_that_a_flow_offers() -> None:
    """CANCEL on SMS opts out; the reminder offers numbers, and understands the word only inside a sentence."""
    spec = shipped("appointment-reminder.yaml")
    shown = kinds.greeting(spec, values_of(spec)) or ""
    assert "cancel" not in shown.lower()
    assert Play(spec, values_of(spec), Channel.WHATSAPP).finishes(Began()).expects == "choice"
