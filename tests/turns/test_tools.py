"""Tools within turns: the intent is on disk before the call, and what changes something happens once."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from overture.adapters.http_tool import HttpTools
from overture.agents import reading
from overture.domain.agent import AgentSpec
from overture.domain.conversation import Mode
from overture.domain.tool_address import Reach
from overture.domain.turn import ModelAnswered, ModelRequest, ToolCall
from overture.workers.turns import TurnRoad
from tests.adapters.wire import Answer, Peer, http, peer, reset, silence
from tests.world import BOB, World, a_world

FLOW = """
kind: flow
name: Booker
tools:
  - kind: http
    name: book
    method: POST
    url: {url}/bookings
    timeout_seconds: 0.4
    parameters: {{day: {{required: true}}, phone: {{bound: "{{contact_number}}"}}}}
    body: {{day: "{{day}}", phone: "{{phone}}"}}
    save: {{reference: $.ref}}
  - {{kind: http, name: look, url: "{url}/free", timeout_seconds: 0.4, save: {{free: $.free}}}}
nodes:
  start: {{say: "Which day?", ask: {{slot: day}}, goto: {first}}}
  look: {{call: {{tool: look}}, then: [{{if: tool.ok and free > 0, goto: book}}, {{goto: trouble}}]}}
  book:
    call: {{tool: book, with: {{day: "{{day}}"}}}}
    then:
      - {{if: tool.ok, goto: done}}
      - {{if: tool.status == 409, goto: taken}}
      - {{if: 'tool.outcome == "unknown"', goto: unsure}}
      - {{goto: trouble}}
  done: {{say: "Booked for {{day}}: {{reference}}.", end: completed}}
  taken: {{say: "That day is taken. Another?", ask: {{slot: day}}, goto: book}}
  unsure: {{say: "I am not sure that it worked.", hand_over: "Did {{day}} get booked?"}}
  trouble: {{say: "Something is wrong here.", hand_over: "Booking failed."}}
"""
PROMPT = """
kind: prompt
name: Booker
instructions: Book.
greeting: Hi!
end_reasons: [it is booked]
tools:
  - kind: http
    name: book
    method: POST
    url: {url}/bookings
    timeout_seconds: 0.4
    parameters: {{day: {{required: true}}, phone: {{bound: "{{contact_number}}"}}}}
    body: {{day: "{{day}}", phone: "{{phone}}"}}
    save: {{reference: $.ref}}
  - {{kind: http, name: look, url: "{url}/free", timeout_seconds: 0.4}}
  - {{kind: extract, name: note_people, slot: people, description: how many, question: open}}
  - kind: end_conversation
  - kind: hand_over
"""
BOOKED = http(201, '{"ref": "A17"}', Content_Type="application/json")
FREE = http(200, '{"free": 3}', Content_Type="application/json")


def wants(name: str = "book", arguments: str = '{"day": "Monday"}', *, text: str = "") -> ModelAnswered:
    return ModelAnswered(text=text, calls=(ToolCall(id="c1", name=name, arguments=arguments),))


class Model:
    """Answers from a list; a function in it is awaited first."""

    def __init__(self, *answers: "ModelAnswered | str | Callable[[], Awaitable[ModelAnswered]]") -> None:
        self.answers = list(answers)
        self.asked: list[ModelRequest] = []

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The next answer of the list."""
        self.asked.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, str):
            return ModelAnswered(text=answer)
        return answer if isinstance(answer, ModelAnswered) else await answer()

    def endpoints(self) -> Sequence[str]:
        """One endpoint."""
        return ("default",)

    @property
    def told(self) -> list[dict[str, Any]]:
        """What the model was last told of its calls."""
        return [json.loads(result) for one in self.asked[-1].rounds for result in one.results]


@asynccontextmanager
async def booking(
    url: str, *answers: Answer, text: str = FLOW, first: str = "book", model: Model | None = None
) -> AsyncIterator[tuple[World, Peer, str]]:
    """A conversation of an agent whose tools lead to a server that answers so."""
    tools = HttpTools(secrets={}, reach=Reach.read(("127.0.0.1",)))
    async with peer(*answers) as server, a_world(url, model=model) as world:
        spec: AgentSpec = reading.read_spec(text.format(url=server.url, first=first))
        await world.saves(spec)
        world.turns = TurnRoad(store=world.store, model=world.model, ids=world.ids, signals=world.signals, tools=tools)
        try:
            yield world, server, await world.starts(text="Which day?")
        finally:
            await tools.aclose()


async def steps(world: World) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in await world.rows("SELECT kind, state FROM step ORDER BY started_at, number")]


# a flow


async def test_a_flow_calls_a_tool_and_goes_on_with_what_it_gave(database_url: str) -> None:
    async with booking(database_url, FREE, BOOKED, first="look") as (world, server, an_id):
        await world.hears("Monday")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Booked for Monday: A17."
        assert (await world.conversation(an_id)).mode is Mode.ENDED
        assert [line for line, _, _ in server.requests] == ["GET /free HTTP/1.1", "POST /bookings HTTP/1.1"]
        assert json.loads(server.requests[1][2]) == {"day": "Monday", "phone": "+15550100001"}
        assert server.requests[1][1]["idempotency-key"]
        assert "idempotency-key" not in server.requests[0][1]
        assert await steps(world) == [("tool", "done"), ("tool", "done")]


@pytest.mark.parametrize(
    ("answer", "said", "outcome"),
    [
        (http(409, "{}"), "That day is taken. Another?", "done"),
        (http(422, "{}"), "Something is wrong here.", "done"),
        (http(429, "{}"), "Something is wrong here.", "failed"),
        (http(200, "<html>", Content_Type="text/html"), "Something is wrong here.", "done"),
        (http(302, "", Location="http://169.254.169.254/"), "I am not sure that it worked.", "unknown"),
        (http(303, "{}", Location="/bookings/1"), "I am not sure that it worked.", "unknown"),
        (http(500, "{}"), "I am not sure that it worked.", "unknown"),
        (http(503, "{}"), "I am not sure that it worked.", "unknown"),
        (silence, "I am not sure that it worked.", "unknown"),
        (reset, "I am not sure that it worked.", "unknown"),
    ],
)
async def test_what_a_change_came_to_has_its_branch(database_url: str, answer: Answer, said: str, outcome: str) -> None:
    async with booking(database_url, answer) as (world, server, an_id):
        await world.hears("Monday")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == said
        assert len(server.requests) == 1
        assert await steps(world) == [("tool", outcome)]


@pytest.mark.parametrize("answer", [http(500, ""), silence, reset, http(200, "<html>"), http(308, "", Location="/")])
async def test_a_look_that_failed_has_its_branch_and_books_nothing(database_url: str, answer: Answer) -> None:
    async with booking(database_url, answer, first="look") as (world, server, an_id):
        await world.hears("Monday")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Something is wrong here."
        assert len(server.requests) == 1


async def test_where_nobody_listens_nothing_was_done_and_it_may_be_tried_again(database_url: str) -> None:
    async with booking(database_url) as (world, _, _):
        await world.saves(reading.read_spec(FLOW.format(url="http://127.0.0.1:9", first="book")))
        an_id = await world.starts(text="Which day?", to_number=BOB)
        await world.hears("Monday", by=BOB)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Something is wrong here."
        assert await steps(world) == [("tool", "failed")]


# a turn that was cut off


async def is_cut_off(world: World, server: Peer) -> None:
    """The worker takes the turn, and dies once its request has landed."""
    await world.turns.look()
    await asyncio.wait_for(server.landed.wait(), 5)
    await world.turns.drain(0)
    server.landed.clear()
    world.clock.passes(seconds=61)


async def test_a_change_whose_outcome_nobody_wrote_down_is_not_made_again(database_url: str) -> None:
    async with booking(database_url, silence, BOOKED) as (world, server, an_id):
        await world.hears("Monday")
        await is_cut_off(world, server)
        assert await steps(world) == [("tool", "started")]
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "I am not sure that it worked."
        assert len(server.requests) == 1


async def test_a_look_that_was_cut_off_is_made_again(database_url: str) -> None:
    async with booking(database_url, silence, FREE, BOOKED, first="look") as (world, server, an_id):
        await world.hears("Monday")
        await is_cut_off(world, server)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Booked for Monday: A17."
        assert [line.split()[1] for line, _, _ in server.requests] == ["/free", "/free", "/bookings"]


async def test_what_was_done_before_a_turn_was_cut_off_is_taken_from_the_journal(database_url: str) -> None:
    """The booking was made and written down; the worker dies while the model thinks about what to say."""
    thinking, model = asyncio.Event(), Model(wants())

    async def for_ever() -> ModelAnswered:
        thinking.set()
        await asyncio.Event().wait()
        raise AssertionError

    model.answers.append(for_ever)
    async with booking(database_url, BOOKED, BOOKED, text=PROMPT, model=model) as (world, server, an_id):
        await world.hears("Monday please")
        await world.turns.look()
        await asyncio.wait_for(thinking.wait(), 5)
        await world.turns.drain(0)
        world.clock.passes(seconds=61)
        model.answers.append("It is booked: A17.")
        await world.hears("Or rather Tuesday")  # a line that came since is a turn of its own
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "It is booked: A17."
        assert len(server.requests) == 1
        assert len(model.asked) == 3  # the first answer came from the journal
        assert model.asked[1] == model.asked[2]
        assert (await world.conversation(an_id)).turn_due_at is not None


async def test_a_model_is_told_that_nobody_knows_what_came_of_its_call(database_url: str) -> None:
    model = Model(wants(), "A colleague will make sure.")
    async with booking(database_url, silence, BOOKED, text=PROMPT, model=model) as (world, server, an_id):
        await world.hears("Monday please")
        await is_cut_off(world, server)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "A colleague will make sure."
        [told] = model.told
        assert told["ok"] is False
        assert "Outcome unknown" in told["error"]
        assert len(server.requests) == 1


async def test_a_worker_that_lost_its_claim_calls_nothing(database_url: str) -> None:
    """Its model took longer than the lease; another worker has claimed the turn meanwhile."""
    model = Model()
    async with booking(database_url, BOOKED, BOOKED, text=PROMPT, model=model) as (world, server, an_id):

        async def late() -> ModelAnswered:
            await world.change("UPDATE conversation SET fence = fence + 1")
            return wants()

        model.answers = [late]
        await world.hears("Monday please")
        await world.takes_turns()
        assert server.requests == []
        assert await steps(world) == [("model", "done")]
        assert await world.texts(an_id) == ["Which day?", "> Monday please"]


@pytest.mark.parametrize("change", ["mode = 'human', epoch = epoch + 1", "mode = 'ended', epoch = epoch + 1"])
async def test_after_a_takeover_or_an_end_nothing_is_called(database_url: str, change: str) -> None:
    model = Model()
    async with booking(database_url, BOOKED, text=PROMPT, model=model) as (world, server, _):

        async def late() -> ModelAnswered:
            await world.change(f"UPDATE conversation SET {change}")
            return wants()

        model.answers = [late]
        await world.hears("Monday please")
        await world.takes_turns()
        assert server.requests == []


async def test_a_draft_that_changed_something_is_said_although_the_contact_wrote_more(database_url: str) -> None:
    model = Model()
    async with booking(database_url, BOOKED, BOOKED, text=PROMPT, model=model) as (world, server, an_id):

        async def meanwhile() -> ModelAnswered:
            await world.hears("Tuesday, I mean")
            return ModelAnswered(text="Monday is booked.")

        model.answers = [wants(), meanwhile, "I cannot change it; a colleague will."]
        await world.hears("Monday please")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Monday is booked."
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "I cannot change it; a colleague will."
        assert "Monday is booked." in [line.text for line in model.asked[-1].lines]
        assert len(server.requests) == 1
