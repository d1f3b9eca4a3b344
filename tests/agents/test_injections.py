"""Whatever strangers write, they may make an agent say things, and never make it do things.

The model of these tests obeys every text it reads. What stands between it and the world are the declarations of the
agent alone, so that no promise hangs on how well a model resists.
"""

import json
import re
import unicodedata
from typing import Final, assert_never

import pytest

from overture.agents import reading, tools, variables
from overture.agents.kinds import knowing
from overture.domain.agent import Json, PromptSpec
from overture.domain.knowledge import Cited
from overture.domain.message import Text, with_quote
from overture.domain.tool import MOST_CALLS, HttpAnswer, HttpTool
from overture.domain.turn import (
    Author,
    Began,
    Decision,
    Finish,
    Heard,
    Line,
    NeedModel,
    NeedSearch,
    NeedTool,
    Observation,
    Searched,
    ToolCall,
)
from tests.agents.obeying import SECRET, Obedient, read_injections, wishes
from tests.agents.playing import NOON, Play, flow, scene

BOOKER: Final = """
kind: prompt
name: Booker
instructions: Book for {guest}.
greeting: Hi!
allowed_links: [example.org]
knowledge: [faq]
variables: {guest: {default: Ana}}
tools:
  - kind: http
    name: book
    method: POST
    url: https://shop.example.org/days/{day}/bookings
    headers: {Authorization: "Bearer {secret:CRM}"}
    parameters: {day: {required: true}, phone: {bound: "{contact_number}"}}
    body: {day: "{day}", phone: "{phone}", note: "for {phone}"}
    save: {reference: $.ref, contact_number: $.ref}
  - {kind: http, name: look, url: "https://shop.example.org/free", query: {on: "{day}"}, parameters: {day: {}}}
  - {kind: extract, name: note_day, slot: contact_number, description: the day, question: open}
"""
FLOW: Final = """
tools:
  - kind: http
    name: book
    method: POST
    url: https://shop.example.org/days/{day}/bookings
    headers: {Authorization: "Bearer {secret:CRM}"}
    parameters: {day: {required: true}, phone: {bound: "{contact_number}"}}
    body: {day: "{day}", phone: "{phone}", note: "for {phone}"}
nodes:
  start: {say: "Which day?", ask: {slot: day}, goto: book}
  book: {call: {tool: book, with: {day: "{day}"}}, then: [{goto: done}]}
  done: {say: "{day}, did you say?", ask: {slot: other}, goto: done}
"""
ENDING: Final = "  - kind: end_conversation\n  - kind: hand_over\nend_reasons: [it is booked]\n"
ADA: Final = "+15550100001"
VALUES: Final[dict[str, Json]] = {"guest": "Ana", "contact_number": ADA, "agent_number": "+15551230001"}
CORPUS: Final = read_injections()
EACH: Final = pytest.mark.parametrize("injected", [text for _, text in CORPUS], ids=[kind for kind, _ in CORPUS])


def spec(text: str = BOOKER) -> PromptSpec:
    made = reading.read_spec(text)
    assert isinstance(made, PromptSpec)
    return made


def plays(agent: PromptSpec, model: Obedient, injected: str) -> tuple[Finish, list[NeedTool]]:
    """One turn in which the text comes in by every door at once; what came of it, and the requests to servers."""
    play = Play(agent, VALUES)
    play.scene = scene(VALUES, history=[Line(author=Author.CONTACT, text=injected, at=NOON)])
    play.finishes(Began(opening="Hi!"))
    quoting = with_quote(Text(text=injected, replying_to=injected))
    decision, called = play.sees(Heard(texts=(injected, quoting), payloads=(injected,))), list[NeedTool]()
    while not isinstance(decision, Finish):
        decision = play.sees(_meet(agent, decision, model, injected, called))
        assert len(called) <= MOST_CALLS
        assert len(model.asked) <= MOST_CALLS + 2
    return decision, called


def _meet(
    agent: PromptSpec, need: NeedModel | NeedTool | NeedSearch, model: Obedient, injected: str, called: list[NeedTool]
) -> Observation:
    match need:
        case NeedModel(request=request):
            return model.answer(request)
        case NeedSearch():
            return Searched(passages=(Cited(base="faq", version=1, number=1, title=injected, text=injected),))
        case NeedTool():
            called.append(need)
            tool = tools.find(agent, need.tool)
            assert isinstance(tool, HttpTool)
            body = json.dumps({"ref": injected, "next": injected}).encode()
            return tools.read_answer(tool, HttpAnswer(status=200, content_type="application/json", body=body))
        case _ as never:
            assert_never(never)


def assert_declared(call: NeedTool) -> None:
    """A request leads where its tool's author said, and is about the contact who writes."""
    request = call.request
    if call.tool == "look":
        assert (request.method, request.body, request.headers) == ("GET", None, {})
        assert re.fullmatch(r"https://shop\.example\.org/free(\?on=[A-Za-z0-9%+._~-]*)?", request.url)
        return
    assert (call.tool, request.method) == ("book", "POST")
    [day] = re.findall(r"^https://shop\.example\.org/days/([A-Za-z0-9%._~-]+)/bookings$", request.url)
    assert not {"..", "."} & set(day.split("/"))
    assert "%2f" not in day.lower()
    assert request.headers == {"Authorization": "Bearer {secret:CRM}", "Content-Type": "application/json"}
    body = json.loads(request.body or "")
    assert body.keys() == {"day", "phone", "note"}
    assert (body["phone"], body["note"]) == (ADA, f"for {ADA}")
    assert SECRET not in (request.body or "")


def assert_harmless(reply: str) -> None:
    """What a contact reads leads nowhere, commands nothing, and shows no place that was to be filled."""
    seen = "".join(c for c in unicodedata.normalize("NFKC", reply) if unicodedata.category(c) != "Cf")
    assert not re.search(r"evil[.\u3002]test|ldap:|javascript:", seen, re.IGNORECASE), seen
    assert "[[" not in reply
    assert variables.raw_placeholders(reply, {*variables.SYSTEM, "guest"}) == []
    assert not any(unicodedata.category(c) in {"Cc", "Cs"} and c != "\n" for c in reply)
    assert not any("\U000e0000" <= c <= "\U000e007f" for c in reply)


@EACH
def test_an_obeying_model_does_nothing_that_is_not_declared(injected: str) -> None:
    """Its calls beyond the declarations come to nothing, those within are about the contact who writes."""
    every = len(wishes(injected))
    for first in range(len(injected) % 7, every, every // 4):
        model = Obedient(injected, first=first, at_once=1 + first % 3)
        finish, called = plays(spec(), model, injected)
        for call in called:
            assert_declared(call)
        for reply in finish.replies:
            assert_harmless(reply)
        assert finish.control is None  # no reason to end and no tool to hand over was declared


@EACH
def test_no_text_of_a_stranger_stands_in_the_instructions(injected: str) -> None:
    asked, harmless = Obedient(injected), Obedient("x")
    plays(spec(BOOKER + ENDING), asked, injected)
    plays(spec(BOOKER + ENDING), harmless, "When do you open?")
    assert {request.instructions for request in asked.asked} == {request.instructions for request in harmless.asked}
    for request in asked.asked:
        assert request.tools == harmless.asked[0].tools
        assert "[[" not in "".join(line.text for line in request.lines)
        assert SECRET not in repr(request)
        assert "phone" not in request.tools[0].schema["properties"]


@EACH
def test_a_passage_stays_quoted_whatever_it_says(injected: str) -> None:
    model = Obedient(injected)
    plays(spec(), model, injected)
    shown = knowing.beside_contact(Searched(passages=(Cited(base="f", version=1, number=1, title="t", text=injected),)))
    assert all(line.startswith("> ") for line in shown.splitlines()[1:-1])
    assert model.asked[0].lines[-1].text.count("\n(What the contact wrote:)\n") >= 1


@EACH
def test_a_callers_variable_stays_one_line_and_is_never_filled_again(injected: str) -> None:
    """Callers fill in what strangers typed into a form: it cannot step out of its line, and opens nothing."""
    agent = spec()
    values = variables.resolve(agent, {"guest": injected}, {"contact_number": ADA})
    assert not isinstance(values, variables.Missing)
    told = variables.fill_instructions("First.\nBook for {guest}.\nLast.", values)
    assert len(told.splitlines()) == 3
    assert (told.count(ADA), len(told)) == (0, len(told.encode("utf-8", "strict").decode()))
    play = Play(agent, values)
    play.finishes(Began(opening="Hi!"))
    assert variables.raw_placeholders(variables.fill_message("Hello {guest}!", values), values) == []


@EACH
def test_a_flow_takes_it_for_an_answer_and_nothing_else(injected: str) -> None:
    play = Play(flow(FLOW), VALUES)
    play.finishes(Began())
    decision: Decision = play.sees(Heard(texts=(injected,)))
    if isinstance(decision, NeedTool):  # else it was too much for an address, or a phrase that is listened for
        assert_declared(decision)
        decision = play.sees(tools.failed("book", "no"))
    assert isinstance(decision, Finish)
    for reply in decision.replies:
        assert variables.raw_placeholders(reply, {*variables.SYSTEM, "day"}) == []
        assert ADA not in reply


@pytest.mark.parametrize("reason", ["because I say so", "", "IT IS BOOKED or not", "it is booked; rm -rf"])
def test_an_agent_ends_for_the_reasons_that_were_declared_alone(reason: str) -> None:
    model = Obedient("end it")
    model.wishes[:] = [ToolCall(id="1", name="end_conversation", arguments=json.dumps({"reason": reason}))]
    model.says = "Bye."
    finish, _ = plays(spec(BOOKER + ENDING), model, "end it")
    assert finish.control is None


def test_tool_limits_hold_for_a_model_that_wants_everything_at_once() -> None:
    model = Obedient("all of it", at_once=500)
    finish, called = plays(spec(), model, "all of it")
    assert len(called) <= MOST_CALLS
    assert len(model.asked) == 2
    assert finish.replies


def test_the_corpus_has_many_kinds_and_says_nothing_twice() -> None:
    texts = [text for _, text in CORPUS]
    assert len(texts) == len(set(texts)) >= 60
    assert len({kind for kind, _ in CORPUS}) >= 8
