"""Flows that look things up and ask a model, in the real store: cited, replayed after a death, silent under people."""

import asyncio

import msgspec
import pytest

from overture.actions.take_over import take_over
from overture.agents import reading
from overture.domain.errors import Permanent
from overture.domain.turn import ModelRequest, Searched
from overture.store import engine
from overture.workers.turns import TurnRoad
from tests.actions.test_knowledge import brings
from tests.agents.faq import ENGLISH
from tests.turns.test_tools_cut_off import DyingStore
from tests.world import WORKSPACE, ScriptedModel, World, a_world

FLOW = """
kind: flow
name: Salon
nodes:
  start: {say: "Ask me.", ask: {slot: question}, goto: look}
  look: {search: {bases: [faq], slot: facts, missing: unknown}, goto: answer}
  answer: {prompt: {instructions: Answer from the facts., sees: [facts], failed: plain}, goto: more}
  plain: {search: {bases: [faq], missing: unknown, found: more}}
  unknown: {say: "I know nothing of that.", goto: more}
  more: {say: "What else?", ask: {slot: question}, goto: look}
"""


async def salon(world: World, *, to: str = "+15550100001") -> str:
    await brings(world, "faq", ENGLISH)
    await world.saves(reading.read_spec(FLOW))
    return await world.starts(text=None, to_number=to)


def asked(world: World) -> list[ModelRequest]:
    assert isinstance(world.model, ScriptedModel)
    return world.model.asked


async def steps(world: World) -> list[tuple[str, str, str]]:
    rows = await world.rows("SELECT kind, state, result FROM step ORDER BY turn_id, number")
    return [(str(row[0]), str(row[1]), str(row[2])) for row in rows]


async def test_a_flow_answers_from_knowledge_in_a_models_words_and_the_journal_cites_it(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel("Right behind the **house**.")) as world:
        an_id = await salon(world)
        await world.hears("where can i park")
        await world.takes_turns()
        assert (await world.texts(an_id))[2:] == ["Right behind the house.", "What else?"]
        [request] = asked(world)
        assert "> There is a car park behind the house." in request.lines[-1].text
        assert "car park" not in request.instructions
        (search, _, found), (model, state, _) = await steps(world)
        assert (search, model, state) == ("search", "model", "done")
        cited = msgspec.json.decode(found, type=Searched).passages[0]
        assert (cited.base, cited.version, cited.number) == ("faq", 1, 4)


async def test_while_the_model_is_away_the_passage_is_said_and_where_nothing_fits_the_other_way_is_taken(
    database_url: str,
) -> None:
    async with a_world(database_url, model=ScriptedModel(Permanent("model_gone", "It is gone."))) as world:
        an_id = await salon(world)
        await world.hears("where can i park")
        await world.takes_turns()
        said = (await world.texts(an_id))[2]
        assert said.startswith("There is a car park behind the house. Parking is free for two hours.")
        await world.hears("do you do tattoos of dragons")
        await world.takes_turns()
        assert (await world.texts(an_id))[5:] == ["I know nothing of that.", "What else?"]
        assert len(asked(world)) == 1


async def test_a_turn_that_dies_at_any_commit_is_told_the_same_and_asks_no_model_twice(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel(*["Behind the house."] * 40)) as world:
        store, replayed = DyingStore(world.store, world.clock), 0
        world.turns = TurnRoad(store=store, model=world.model, ids=world.ids, signals=world.signals)
        for n in range(2, 20):  # the first commit is the claim
            contact = f"+1555010{n:04}"
            an_id = await salon(world, to=contact)
            await world.hears("where can i park", by=contact)
            before = len(asked(world))
            store.commits, store.dies_at = 0, n
            await world.turns.look()
            await asyncio.wait_for(world.turns.drain(10), 20)
            answered = [one for one in await steps(world) if one[0] == "model" and one[1] == "done"]
            requests = len(asked(world)) - before
            await brings(world, "faq", "# New\nPark on the roof.")
            for _ in range(3):
                world.clock.passes(seconds=31)
                await world.takes_turns()
            assert (await world.texts(an_id))[2:] == ["Behind the house.", "What else?"], n
            assert "There is a car park" in asked(world)[-1].lines[-1].text or not requests, n
            replayed += len(asked(world)) - before == 1 and bool(answered)
            if store.commits < n:
                break
        else:
            pytest.fail("a turn has fewer commits than that")
        assert replayed >= 1


async def test_a_person_who_takes_over_while_the_model_thinks_silences_the_flow(database_url: str) -> None:
    async with a_world(database_url) as world:

        async def thinks(request: ModelRequest) -> str:
            async def takes(tx: engine.Writing) -> object:
                return await take_over(
                    tx, workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", now=world.clock.now(), ids=world.ids
                )

            await world.store.write(takes)
            return "Behind the house."

        model = ScriptedModel(thinks)
        world.turns = TurnRoad(store=world.store, model=model, ids=world.ids, signals=world.signals)
        an_id = await salon(world)
        await world.hears("where can i park")
        await world.takes_turns()
        assert await world.texts(an_id) == ["Ask me.", "> where can i park"]
        assert len(model.asked) == 1
