"""The flow engine, played: conversations as tables, and what must hold for any of them."""

import copy

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from overture.agents import beside, kinds, variables
from overture.agents.kinds.flow import known_names
from overture.domain.agent import EndReason, FlowSpec, Json
from overture.domain.turn import Began, End, Finish, HandOver, Heard, ModelAnswered, ModelFailed, Observation, Pause
from tests.agents.playing import Play, flow, scene

SALON = flow(
    """
variables: {company: {default: Blue Salon}, name: {}, closing: {}}
not_understood: "Pardon?"
hand_over_message: "A colleague takes over."
globals:
  - {phrases: [human, real person], hand_over: "{name|Somebody} wants a person."}
  - {phrases: [restart], goto: start}
  - {phrases: [hours], say: "We are open until {closing|six}."}
start: start
nodes:
  start: {say: "Hi {name}, this is {company}. Book?", ask: {slot: wants, type: yes_no, reask: "Book? Yes or no."},
          then: [{if: wants, goto: people}, {goto: bye}]}
  people: {say: "How many?", ask: {slot: people, type: number, min: 1, max: 8, whole: true, retries: 1},
           then: [{if: people > 4, goto: large}], goto: done}
  large: {say: "That is a large party.", hand_over: "{people} people"}
  done: {say: "Booked for {people}.", end: completed}
  bye: {say: "Bye.", end: cancelled}
"""
)
VALUES: dict[str, Json] = {"name": "Ana", "company": "Blue Salon"}
START = "Hi Ana, this is Blue Salon. Book?"
AGAIN = "Book? Yes or no."


@pytest.mark.parametrize(
    ("began", "turns"),
    [
        (Began(), [(None, (START,), "start", None), ("yes", ("How many?",), "people", None)]),
        (Began(opening="Hello!"), [(None, (), "start", None), ("yes", ("How many?",), "people", None)]),
        (Began(opening="Hello!"), [(None, (), "start", None), ("hm", (AGAIN,), "start", None)]),
        (Began(by_contact=True), [(None, (), "start", None), ("yes", ("How many?",), "people", None)]),
        (
            Began(by_contact=True),  # what the contact says first is no failed answer
            [(None, (), "start", None), ("hello", (START,), "start", None), ("hm", (AGAIN,), "start", None)],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("yes", ("How many?",), "people", None),
                ("2", ("Booked for 2.",), "done", "completed"),
            ],
        ),
        (Began(), [(None, (START,), "start", None), ("no", ("Bye.",), "bye", "cancelled")]),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("yes", ("How many?",), "people", None),
                ("5", ("That is a large party.",), "large", "5 people"),
            ],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("hm", (AGAIN,), "start", None),
                ("hm", (AGAIN,), "start", None),
                ("hm", ("A colleague takes over.",), "start", "Not understood 3 times at 'start'."),
                ("yes", ("How many?",), "people", None),  # given back: the open question stands
            ],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("yes", ("How many?",), "people", None),
                ("nine", ("Pardon? How many?",), "people", None),
                ("9", ("A colleague takes over.",), "people", "Not understood 2 times at 'people'."),
            ],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("Could I talk to a HUMAN?", ("A colleague takes over.",), "start", "Ana wants a person."),
                ("yes", ("How many?",), "people", None),
            ],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("yes", ("How many?",), "people", None),
                ("your hours", ("We are open until six.", "How many?"), "people", None),
                ("restart", (START,), "start", None),
            ],
        ),
        (
            Began(by_contact=True),
            [(None, (), "start", None), ("what are your hours", ("We are open until six.", START), "start", None)],
        ),
        (
            Began(),
            [
                (None, (START,), "start", None),
                ("yes", ("How many?",), "people", None),
                ("7", ("That is a large party.",), "large", "7 people"),
                ("hello again", (START,), "start", None),  # given back: it starts anew
            ],
        ),
    ],
)
def test_a_conversation_goes_as_written(
    began: Began, turns: list[tuple[str | None, tuple[str, ...], str, str | None]]
) -> None:
    play = Play(SALON, VALUES)
    for heard, replies, place, control in turns:
        finish = play.finishes(began) if heard is None else play.hears(heard)
        assert (finish.replies, finish.place, told(finish)) == (replies, place, control)
        assert kinds.place(play.state) == place


def told(finish: Finish) -> str | None:
    match finish.control:
        case End(reason=reason):
            return reason.value
        case HandOver(note=note) | Pause(note=note):
            return note
        case None:
            return None


def test_the_path_and_what_is_expected_are_told() -> None:
    play = Play(SALON, VALUES)
    began = play.finishes(Began())
    assert (began.path, began.expects) == (("start",), "choice")
    asked = play.hears("yes")
    assert (asked.path, asked.expects) == (("start", "people"), "anything")
    ended = play.hears("2")
    assert (ended.path, ended.control) == (("people", "done"), End(reason=EndReason.COMPLETED))
    assert play.slots == {"wants": True, "people": 2}


def test_the_greeting_is_what_the_flow_would_say() -> None:
    assert kinds.greeting(SALON, VALUES) == START
    assert kinds.greeting(SALON, {}) == "Hi, this is. Book?"  # values come resolved, defaults among them
    chain = flow("nodes: {start: {say: A, goto: b}, b: {say: B, goto: c}, c: {say: C, ask: {slot: x}, end: completed}}")
    assert kinds.greeting(chain, {}) == "A\nB\nC"
    assert not kinds.needs_model_to_open(chain)


def test_an_opening_stands_in_place_of_all_that_comes_before_the_first_question() -> None:
    chain = flow(
        "nodes: {start: {say: A, goto: b}, b: {say: B, ask: {slot: x}, goto: c}, c: {say: 'Got {x}', end: completed}}"
    )
    play = Play(chain)
    assert play.finishes(Began(opening="Hello")) == Finish(replies=(), place="b", path=("start", "b"))
    assert play.hears("it").replies == ("Got it",)


def test_a_flow_that_asks_nothing_ends_with_its_opening() -> None:
    note = flow("nodes: {start: {say: Your parcel is here., end: completed}}")
    assert Play(note).finishes(Began(opening="Sent")).control == End()
    assert Play(note).finishes(Began()).replies == ("Your parcel is here.",)


def test_more_than_two_texts_of_a_turn_are_joined() -> None:
    chain = flow("nodes: {start: {say: A, goto: b}, b: {say: B, goto: c}, c: {say: C, end: completed}}")
    assert Play(chain).finishes(Began()).replies == ("A\nB", "C")


@pytest.mark.parametrize(
    ("nodes", "note"),
    [
        ("{start: {say: A, goto: nowhere}}", "no node 'nowhere'"),
        ("{start: {say: A}}", "what follows 'start'"),
        ("{start: {say: A, then: [{if: never, goto: start}]}}", "what follows 'start'"),
        ("{start: {goto: b}, b: {goto: start}}", "50 nodes"),
        ("{other: {say: A, end: completed}}", "no node 'start'"),
    ],
)
def test_a_broken_flow_hands_over_instead_of_falling_silent(nodes: str, note: str) -> None:
    finish = Play(flow(f"nodes: {nodes}")).finishes(Began())
    assert isinstance(finish.control, HandOver)
    assert note in finish.control.note
    assert finish.replies[-1] == "A colleague will take over from here."


def test_a_burst_is_one_answer() -> None:
    play = Play(SALON, VALUES)
    play.finishes(Began())
    assert play.hears("hm", "yes", "please").replies == ("How many?",)
    assert play.hears("two", "no 3").replies == ("Booked for 3.",)


def test_an_ended_flow_stays_ended_and_silent() -> None:
    play = Play(SALON, VALUES)
    play.finishes(Began())
    play.hears("no")
    ended = play.state
    for observation in (Heard(texts=("yes",)), Began(), Heard(texts=("human",))):
        assert play.finishes(observation) == Finish(replies=(), place="bye", control=End(reason=EndReason.CANCELLED))
        assert play.state == ended


@pytest.mark.parametrize("observation", [ModelAnswered(text="x"), ModelFailed(reason="x")])
def test_a_flow_has_no_use_for_a_model(observation: Observation) -> None:
    with pytest.raises(ValueError, match="no such thing"):
        Play(SALON).sees(observation)


def test_what_a_contact_writes_is_never_expanded() -> None:
    spec = flow("""
variables: {secret: {}}
nodes: {start: {say: "Name?", ask: {slot: name}, goto: end}, end: {say: "Hi {name}", end: completed}}""")
    play = Play(spec, {"secret": "s3cret"})
    play.finishes(Began())
    assert play.hears("{secret} <name>").replies == ("Hi secret name",)


TEXTS = st.lists(
    st.one_of(
        st.sampled_from(
            ["yes", "no", "2", "7", "human", "restart", "hours", "", "😀", "{name}", "x" * 10_000, "maybe"]
        ),
        st.text(max_size=30),
    ),
    min_size=1,
    max_size=3,
).map(tuple)
BEGINNINGS = st.sampled_from([Began(), Began(opening="Hello"), Began(by_contact=True)])


@settings(deadline=None)
@given(began=BEGINNINGS, bursts=st.lists(TEXTS, max_size=8), name=st.text(max_size=10))
def test_any_conversation_keeps_the_promises(began: Began, bursts: list[tuple[str, ...]], name: str) -> None:
    """Pure, never silent while open, terminal is terminal, replay equals live, no placeholder leaves."""
    now = scene({"name": name, "company": "Blue Salon"})
    spec, before = SALON, msgspec.json.encode((SALON, now))
    state = kinds.begin(spec)
    replayed = kinds.begin(spec)
    over = False
    observations: list[Observation] = [began, *(Heard(texts=texts) for texts in bursts)]
    for observation in observations:
        untouched = copy.deepcopy(state)
        after, decision = kinds.step(spec, state, observation, now)
        assert kinds.step(spec, state, observation, now) == (after, decision)
        assert state == untouched
        assert isinstance(decision, Finish)
        for reply in decision.replies:
            assert reply.strip()
            assert variables.raw_placeholders(reply, known_names(spec)) == []
        assert len(decision.replies) <= 2
        if over:
            assert decision.replies == ()
            assert isinstance(decision.control, End)
        elif isinstance(observation, Heard):
            assert decision.replies or decision.control
        over = over or isinstance(decision.control, End)
        replayed = kinds.step(spec, kinds.decode(spec, kinds.encode(replayed)), observation, now)[0]
        assert replayed == after
        state = after
    assert msgspec.json.encode((spec, now)) == before


def _some_flow(ways: dict[str, tuple[bool, str | None, str | None]]) -> FlowSpec:
    """A flow whose nodes ask or not, and go on, end or neither: mostly broken ones."""
    nodes = {
        name: {"say": name, "goto": goto, "end": end, "ask": {"slot": "s", "type": "yes_no"} if asks else None}
        for name, (asks, goto, end) in ways.items()
    }
    return msgspec.convert({"kind": "flow", "name": "Any", "start": "a", "nodes": nodes}, type=FlowSpec)


NODES = st.sampled_from(["a", "b", "c", "nowhere"])


@settings(deadline=None)
@given(
    ways=st.dictionaries(
        NODES, st.tuples(st.booleans(), st.none() | NODES, st.none() | st.just("completed")), max_size=3
    ),
    texts=st.lists(st.sampled_from(["yes", "no", "hm"]), max_size=6),
)
def test_any_flow_however_broken_answers_or_hands_over(
    ways: dict[str, tuple[bool, str | None, str | None]], texts: list[str]
) -> None:
    play = Play(_some_flow(ways))
    play.finishes(Began(by_contact=True))
    for text in texts:
        finish = play.hears(text)
        assert finish.replies or finish.control


CHOOSING = """
globals: [{phrases: [price], say: Ten.}]
nodes:
  start: {say: "Which day?", ask: {slot: day, type: choice, choices: [Monday, Tuesday, price list]}, goto: sure}
  sure: {say: "Sure?", ask: {slot: sure, type: yes_no}, goto: where}
  where: {say: "Where are you?", ask: {slot: place}, goto: done}
  done: {say: "{day} {sure} {place}", end: completed}
"""


def chosen(*bursts: tuple[tuple[str, ...], tuple[str, ...]]) -> list[str]:
    spec = flow(CHOOSING)
    state, _ = kinds.step(spec, kinds.begin(spec), Began(), scene())
    said = []
    for texts, payloads in bursts:
        state, finish = kinds.step(spec, state, Heard(texts=texts, payloads=payloads), scene())
        assert isinstance(finish, Finish)
        said.append(" | ".join(finish.replies))
    return said


@pytest.mark.parametrize(
    ("texts", "payloads", "said"),
    [
        (("Tue!",), ("Tuesday",), "Sure?"),
        (("Monday",), ("Tuesday",), "Sure?"),
        (("Price list",), ("price list",), "Sure?"),  # a button of the question goes before a phrase heard everywhere
        (("Price list",), (), "Ten. | Which day?"),
        (("2",), (), "Sure?"),
        (("[image] Tuesday",), (), "Sure?"),
        (("[from an ad: Sale, https://x.test] Tuesday",), (), "Sure?"),
        (("[voice note] on Tuesday please",), (), "Sure?"),
        (("[voice note]",), (), f"{beside.cannot_hear('en')} Which day?"),
        (("[image]",), (), "Sorry, I did not get that. Which day?"),
        (("[unsupported message]",), (), "Sorry, I did not get that. Which day?"),
        (("[reaction] 👍",), (), ""),
        (("[reaction taken back]",), (), ""),
        (("[reaction] 👍", "Tuesday"), (), "Sure?"),
        (("[location 1,2: Price Street]",), (), "Sorry, I did not get that. Which day?"),
        (("Tuesday",), ("old-button-of-another-question",), "Sure?"),
    ],
)
def test_what_came_with_a_message_does_not_hide_its_answer(
    texts: tuple[str, ...], payloads: tuple[str, ...], said: str
) -> None:
    assert chosen((texts, payloads)) == [said]


def test_a_payload_wins_over_the_words_on_its_button() -> None:
    bursts = [(("Monday",), ("Tuesday",)), (("[reaction] 👍",), ()), (("[location 1,2: Home]",), ())]
    assert chosen(*bursts)[-1] == "Tuesday true [location 1,2: Home]"
    assert chosen((("Mon",), ("Monday",)), (("Sure",), ("no",)), (("x",), ()))[-1] == "Monday false x"
