"""What models take is counted for every step, and no budget is ever passed: not at once, not after a crash."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest

from overture.domain.agent import Ask, FlowSpec, Node, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.errors import Permanent, Transient
from overture.domain.model_budget import Limits, ModelBudget
from overture.domain.model_use import ModelPrice, Use, guess_tokens
from overture.domain.rules import Rules
from overture.domain.turn import ModelAnswered, ModelRequest
from overture.store import model_use, people
from overture.store.engine import Writing
from overture.workers.turns import TurnRoad
from tests.world import ADA, BOB, WORKSPACE, World, a_world

PRICE: Final = ModelPrice(input=2_000_000, output=8_000_000, currency="USD")  # two and eight dollars a million
SPEC: Final = PromptSpec(name="Helper", instructions="Help.", max_output_tokens=100, fallback="We will write to you.")
COUNTED: Final = ModelAnswered(text="At nine.", input_tokens=300, output_tokens=20)


class Counting:
    """A model that answers from a list, the last answer for ever; it remembers what it was asked."""

    def __init__(self, *answers: ModelAnswered | Exception) -> None:
        self.answers: Final = list(answers)
        self.asked: Final[list[ModelRequest]] = []

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The next answer."""
        assert timeout_seconds > 0
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    def endpoints(self) -> Sequence[str]:
        """The one endpoint."""
        return ("default",)


def priced(world: World) -> TurnRoad:
    return TurnRoad(store=world.store, model=world.model, ids=world.ids, signals=world.signals, prices={None: PRICE})


async def asks(world: World, text: str = "When do you open?", by: str = ADA) -> None:
    await world.hears(text, by=by)
    await world.takes_turns()


@pytest.fixture
async def need(tmp_path: Path) -> tuple[int, int]:
    """What is reserved for the first answer, in tokens and in millionths."""
    model = Counting(COUNTED)
    async with a_world(f"sqlite:///{tmp_path}/other.db", model=model) as world:
        await world.saves(SPEC)
        await world.starts()
        await asks(world)
    asked = guess_tokens(len(msgspec.json.encode(model.asked[0])))
    return asked + 100, asked * 2 + 100 * 8


def limited(**limits: int) -> PromptSpec:
    return msgspec.structs.replace(SPEC, limits=Limits(**limits))


async def taken(world: World, conversation_id: str) -> list[model_use.Total]:
    return await world.store.read(lambda tx: model_use.list_of_conversation(tx, WORKSPACE, conversation_id))


async def is_paused(world: World, conversation_id: str) -> bool:
    found = await world.conversation(conversation_id)
    if found.mode is not Mode.PAUSED:
        return False
    assert (await world.texts(conversation_id)).count("We will write to you.") == 1
    [event] = [row for row in await world.events("conversation.paused") if row[1] == conversation_id]
    assert '"reason":"budget"' in event[0]
    return True


@pytest.mark.parametrize(
    ("answer", "counted"),
    [
        (COUNTED, (300, 20, 760, 0)),
        (msgspec.structs.replace(COUNTED, input_tokens=0, output_tokens=0), None),
        (msgspec.structs.replace(COUNTED, output_tokens=0), None),
        (msgspec.structs.replace(COUNTED, input_tokens=-5), None),
        (msgspec.structs.replace(COUNTED, input_tokens=10**17), None),
    ],
    ids=["counted", "nothing counted", "no output counted", "less than nothing", "more than can be"],
)
async def test_each_step_keeps_what_it_took_and_says_where_that_is_a_guess(
    database_url: str, answer: ModelAnswered, counted: tuple[int, int, int, int] | None
) -> None:
    model = Counting(answer)
    async with a_world(database_url, model=model) as world:
        world.turns = priced(world)
        await world.saves(SPEC)
        an_id = await world.starts()
        await asks(world)
        asked = guess_tokens(len(msgspec.json.encode(model.asked[0])))
        [total] = await taken(world, an_id)
        assert (total.requests, total.currency) == (1, "USD")
        told = (total.input_tokens, total.output_tokens, total.micros, total.guesses)
        assert told == (counted or (asked, 2, asked * 2 + 2 * 8, 1))
        [day] = await world.rows("SELECT requests, input_tokens, output_tokens, cost_micros FROM model_day")
        assert tuple(day) == (1, *told[:3])


async def test_without_a_price_there_are_tokens_and_no_cost(database_url: str) -> None:
    async with a_world(database_url, model=Counting(COUNTED)) as world:
        await world.saves(SPEC)
        an_id = await world.starts()
        await asks(world)
        [total] = await taken(world, an_id)
        assert (total.currency, total.micros, total.input_tokens) == ("", 0, 300)


@pytest.mark.parametrize("short", [0, 1], ids=["exactly enough", "one too few"])
@pytest.mark.parametrize("what", ["tokens", "cost"])
@pytest.mark.parametrize("whose", ["conversation", "agent", "workspace"])
async def test_a_budget_is_kept_to_its_last_token(
    database_url: str, need: tuple[int, int], whose: str, what: str, short: int
) -> None:
    tokens, micros = need
    most = (tokens if what == "tokens" else micros) - short
    budget = ModelBudget(**{f"{what}_per_day": most})
    model = Counting(COUNTED)
    async with a_world(database_url, model=model) as world:
        world.turns = priced(world)
        spec = limited(**{f"{what}_per_conversation": most}) if whose == "conversation" else SPEC
        if whose == "agent":
            spec = msgspec.structs.replace(SPEC, rules=Rules(model_budget=budget))
        if whose == "workspace":
            await world.rules(Rules(model_budget=budget))
        await world.saves(spec)
        an_id = await world.starts()
        await asks(world)
        assert await is_paused(world, an_id) == bool(short)
        assert len(model.asked) == 1 - short


async def test_zero_allows_nothing_and_a_flow_that_needs_no_model_goes_on(database_url: str) -> None:
    async with a_world(database_url, model=Counting(COUNTED)) as world:
        await world.rules(Rules(model_budget=ModelBudget(tokens_per_day=0)))
        nodes = {
            "start": Node(say="Which day?", ask=Ask(slot="day"), goto="done"),
            "done": Node(say="{day}.", end="completed"),
        }
        await world.saves(FlowSpec(name="F", nodes=nodes))
        flow = await world.starts()
        await asks(world, "Monday")
        assert (await world.texts(flow))[-1] == "Monday."
        await world.saves(SPEC)
        an_id = await world.starts(to_number=BOB)
        await asks(world, by=BOB)
        assert await is_paused(world, an_id)
        await world.sends(4)
        assert world.twilio.said[-1] == "We will write to you."
        waiting = await world.store.read(lambda tx: people.find(tx, WORKSPACE, an_id))
        assert waiting is not None
        assert waiting.waits_since is not None
        await asks(world, "Hello?", by=BOB)
        assert (await world.texts(an_id))[-1] == "> Hello?"  # a person has it, and nothing is said twice
        assert await world.value("SELECT count(*) FROM step") == 0


async def test_a_limit_on_cost_without_a_price_stops_the_agent_and_says_so(database_url: str) -> None:
    async with a_world(database_url, model=Counting(COUNTED)) as world:
        await world.saves(limited(cost_per_conversation=10**9))
        an_id = await world.starts()
        await asks(world)
        assert await is_paused(world, an_id)
        assert "has no price" in ((await world.conversation(an_id)).mode_note or "")


@pytest.mark.parametrize("whose", ["agent", "workspace"])
async def test_turns_at_once_do_not_take_more_together_than_there_is(
    database_url: str, need: tuple[int, int], whose: str
) -> None:
    tokens, _ = need
    budget = Rules(model_budget=ModelBudget(tokens_per_day=4 * tokens - 1))
    model = Counting(ModelAnswered(text="At nine.", input_tokens=tokens - 100, output_tokens=100))
    async with a_world(database_url, model=model) as world:
        await world.rules(budget if whose == "workspace" else Rules())
        await world.saves(msgspec.structs.replace(SPEC, rules=budget if whose == "agent" else Rules()))
        numbers = [f"+1555010{n:04}" for n in range(6)]
        ids = [await world.starts(to_number=one) for one in numbers]
        for one in numbers:
            await world.hears("When do you open?", by=one)
        await world.takes_turns()
        assert sorted([await is_paused(world, an_id) for an_id in ids]) == [False] * 3 + [True] * 3
        assert len(model.asked) == 3


async def test_what_a_turn_reserved_that_died_stays_taken(database_url: str, need: tuple[int, int]) -> None:
    tokens, _ = need
    async with a_world(database_url, model=Counting(RuntimeError("the worker died"), COUNTED)) as world:
        await world.saves(limited(tokens_per_conversation=2 * tokens - 1))
        an_id = await world.starts()
        await asks(world)
        [total] = await taken(world, an_id)
        assert (total.input_tokens + total.output_tokens, total.guesses) == (tokens, 1)
        world.clock.passes(seconds=31)
        await world.takes_turns()
        assert await is_paused(world, an_id)


@pytest.mark.parametrize(
    ("failure", "stays"),
    [(Permanent("model_http_400", "No."), False), (Transient("model_timeout", "Slow."), True)],
    ids=["refused", "timed out"],
)
async def test_what_was_reserved_is_given_back_where_the_model_did_nothing(
    database_url: str, failure: Exception, *, stays: bool
) -> None:
    async with a_world(database_url, model=Counting(failure, COUNTED)) as world:
        await world.saves(SPEC)
        an_id = await world.starts()
        await asks(world)
        [total] = await taken(world, an_id)
        assert (total.guesses > 0, total.input_tokens > 300) == (stays, stays)


async def test_what_models_took_on_a_day_is_forgotten_after_four_hundred(world: World) -> None:
    now, use = world.clock.now(), Use(input_tokens=1, output_tokens=1)
    days = {kept: model_use.day_of(now - timedelta(days=kept)) for kept in (0, 366, 400, 401, 2_000)}

    async def take(tx: Writing) -> None:
        for day in days.values():
            await model_use.add(tx, WORKSPACE, "a", day, use, requests=1, sign=1)

    await world.store.write(take)
    await world.timers.look()
    found = await world.column("SELECT day FROM model_day ORDER BY day DESC")
    assert found == [days[0], days[366], days[400]]
