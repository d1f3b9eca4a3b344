"""Knowledge by meaning: what shares no word with a question is found; without the endpoint words do, and no turn fails.

The endpoint is scripted: its vectors say which of a few things a text is about.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from typing import Any, cast

import msgspec
import pytest

from overture.adapters.llm.embeddings import OpenAIEmbeddings
from overture.agents import ranking
from overture.domain.errors import Failure, Misconfigured, Permanent, Transient
from overture.domain.turn import NeedSearch, Searched
from overture.store import knowledge, vectors
from overture.store.engine import Store, Writing
from overture.store.statement import Row
from overture.turns import knowledge as looking
from overture.turns import meaning
from overture.turns.meaning import Meaning
from overture.workers.embedding import ASKED_EVERY, BATCH, EVERY_SECONDS, LEASE, EmbeddingRoad
from overture.workers.turns import TurnRoad
from tests.actions.test_knowledge import brings
from tests.adapters.wire import http, peer
from tests.agents.faq import ENGLISH
from tests.turns.test_knowledge import LONG, asked, searches, spec
from tests.turns.test_tools_cut_off import DyingStore
from tests.world import WORKSPACE, ScriptedModel, World, a_world

ABOUT = (("car", "automobile", "parking"), ("price", "cost", "expensive"), ("trainee", "apprentice"), ("open", "hours"))
AUTOMOBILE = "my automobile, any spot nearby"  # shares no word with the passage that answers it


class Concepts:
    """Embeddings by what a text is about; what stands in `failures` is raised, one a request."""

    def __init__(self, *, model: str = "small", length: int = 8) -> None:
        self.model = model
        self.length = length
        self.failures: list[Failure] = []
        self.refuses = ""
        self.asked: list[tuple[str, ...]] = []

    async def embed(self, texts: Sequence[str], *, timeout_seconds: float) -> list[list[float]]:
        """A number for each thing, and one that all texts have."""
        assert timeout_seconds > 0
        self.asked.append(tuple(texts))
        if self.failures:
            raise self.failures.pop(0)
        if self.refuses and any(self.refuses in text for text in texts):
            raise Permanent("embedding_http_400", "Too long.")
        return [self._vector(ranking.words_of(text)) for text in texts]

    def _vector(self, said: Sequence[str]) -> list[float]:
        told = [float(sum(word in said for word in words)) for words in ABOUT]
        return ([0.01, *told] + [-0.01] * self.length)[: self.length]


async def embeds(world: World, endpoint: Concepts, looks: int = 50) -> EmbeddingRoad:
    """The road is walked until it has nothing to do."""
    road = EmbeddingRoad(store=world.store, embeddings=endpoint)
    for _ in range(looks):
        if await road.look() != 0:
            return road
    pytest.fail("the road never rests")


async def finds(world: World, endpoint: Concepts, query: str, store: Store | None = None) -> Searched:
    need = NeedSearch(bases=("faq",), query=query, whole=False)
    _, found = await looking.find(need, workspace_id=WORKSPACE, store=store or world.store, meaning=Meaning(endpoint))
    return found


async def embedded(world: World) -> tuple[str | None, int, int]:
    base = await world.store.read(lambda tx: knowledge.find(tx, WORKSPACE, "faq"))
    assert base is not None
    return base.space, base.embedded, base.passages


async def test_what_shares_no_word_with_its_answer_is_found_by_meaning(world: World) -> None:
    endpoint = Concepts()
    await brings(world, "faq", ENGLISH)
    before = await finds(world, endpoint, AUTOMOBILE)
    assert (before.passages, before.note) == ((), "By words alone: the passages have no vectors yet.")
    await embeds(world, endpoint)
    assert await embedded(world) == ("small/8", 9, 9)
    found = await finds(world, endpoint, AUTOMOBILE)
    assert found.passages[0].title.endswith("Parking")
    assert (len(found.passages) <= 6, found.note) == (True, "")


async def test_a_greeting_is_not_looked_for(world: World) -> None:
    endpoint = Concepts()
    await brings(world, "faq", ENGLISH)
    await embeds(world, endpoint)
    count = len(endpoint.asked)
    assert await finds(world, endpoint, "hello, thanks!") == Searched()
    assert len(endpoint.asked) == count


@pytest.mark.parametrize(
    "failure",
    [
        Transient("embedding_timeout", "It did not answer."),
        Misconfigured("embedding_http_401", "It answered 401.", hint="Check."),
        Permanent("embedding_http_400", "It refused."),
    ],
    ids=lambda one: one.code,
)
async def test_without_the_endpoint_a_turn_is_told_what_words_find_and_says_so(
    database_url: str, failure: Failure
) -> None:
    async with a_world(database_url, model=ScriptedModel("Behind the house.", "Yes.", "Yes.")) as world:
        endpoint = Concepts()
        await brings(world, "faq", LONG)
        await embeds(world, endpoint)
        world.turns = TurnRoad(
            store=world.store, model=world.model, ids=world.ids, signals=world.signals, meaning=Meaning(endpoint)
        )
        await world.saves(spec())
        an_id = await world.starts(text="Hello!")
        endpoint.failures, count = [failure], len(endpoint.asked)
        for line in ("where can i park", "where can i park my car"):
            await world.hears(line)
            await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Yes."
        assert len(endpoint.asked) == count + 1  # it is left alone for a while
        first, second = await searches(world)
        assert first.note == f"By words alone: {failure.description}"
        assert second.note == "By words alone: the embedding endpoint failed a moment ago."
        assert first.passages[0].title.endswith("Parking")
        world.clock.passes(seconds=meaning.LEFT_ALONE.total_seconds())
        await world.hears("where can i park")
        await world.takes_turns()
        assert (await searches(world))[-1].note == ""


async def test_a_turn_that_died_after_its_search_asks_the_endpoint_nothing_more(database_url: str) -> None:
    async with a_world(database_url, model=ScriptedModel(*["Behind the house."] * 4)) as world:
        endpoint = Concepts()
        await brings(world, "faq", LONG)
        await embeds(world, endpoint)
        store = DyingStore(world.store, world.clock)
        world.turns = TurnRoad(
            store=store, model=world.model, ids=world.ids, signals=world.signals, meaning=Meaning(endpoint)
        )
        await world.saves(spec())
        an_id = await world.starts(text="Hello!")
        await world.hears(AUTOMOBILE)
        store.commits, store.dies_at, count = 0, 3, len(endpoint.asked)  # the claim, the search, the model's step
        await world.turns.look()
        await asyncio.wait_for(world.turns.drain(10), 20)
        [kept] = await searches(world)
        endpoint.failures = [Transient("embedding_http_500", "It answered 500.")] * 5
        world.clock.passes(seconds=31)
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Behind the house."
        assert len(endpoint.asked) == count + 1
        assert await searches(world) == [kept]
        assert "car park behind the house" in asked(world)[-1].lines[-1].text


async def test_what_was_embedded_is_kept_when_the_worker_stops_between_batches(world: World) -> None:
    await brings(world, "faq", "".join(f"# Heading {n}\nText {n}.\n" for n in range(2 * BATCH + 5)))
    first, second = Concepts(), Concepts()
    await EmbeddingRoad(store=world.store, embeddings=first).look()
    assert await embedded(world) == ("small/8", BATCH, 2 * BATCH + 5)
    await embeds(world, second)
    assert await embedded(world) == ("small/8", 2 * BATCH + 5, 2 * BATCH + 5)
    assert [len(texts) for texts in first.asked + second.asked] == [1, BATCH, 1, BATCH, 5]  # one asks what is made
    assert await EmbeddingRoad(store=world.store, embeddings=second).look() == EVERY_SECONDS


async def test_another_model_or_another_length_has_everything_embedded_anew(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    await embeds(world, Concepts())
    large = Concepts(model="large")
    assert (await finds(world, large, AUTOMOBILE)).note == "By words alone: the passages have vectors of another model."
    await embeds(world, large)
    assert await embedded(world) == ("large/8", 9, 9)
    longer = Concepts(model="large", length=16)
    await embeds(world, longer)
    assert await embedded(world) == ("large/16", 9, 9)
    assert await world.value("SELECT count(*) FROM vector") == 9
    assert (await finds(world, longer, AUTOMOBILE)).passages[0].title.endswith("Parking")


async def test_processes_with_different_models_do_not_embed_each_others_bases_for_ever(world: World) -> None:
    old, new = Concepts(), Concepts(model="large")
    await brings(world, "faq", ENGLISH)
    await brings(world, "other", "# Parking\nHere.", "elsewhere")
    await embeds(world, Concepts())
    first = await embeds(world, old)  # it only finds what is in its space
    second = await embeds(world, new)  # the newer settings: they win once
    for _ in range(5):
        while await first.look() == 0 or await second.look() == 0:
            pass
        world.clock.passes(minutes=10)
    assert await embedded(world) == ("large/8", 9, 9)
    assert sum(len(texts) for texts in old.asked) == 1
    assert sum(len(texts) for texts in new.asked) == 1 + 10
    assert (await finds(world, new, AUTOMOBILE)).note == ""
    assert (await finds(world, old, AUTOMOBILE)).note == "By words alone: the passages have vectors of another model."
    await brings(world, "faq", f"{ENGLISH}\nMore.")
    assert await first.look() == EVERY_SECONDS
    while await second.look() == 0:
        pass
    assert (await embedded(world))[0] == "large/8"
    await embeds(world, Concepts())  # who goes back to the first model starts anew with it
    assert (await embedded(world))[0] == "small/8"


async def test_a_text_that_is_replaced_while_vectors_are_kept_leaves_none_behind(postgresql_url: str) -> None:
    """The new text comes in between: after the vectors were written, before they are committed."""

    class Meanwhile:
        def __init__(self, tx: Writing) -> None:
            self._tx = tx

        def __getattr__(self, name: str) -> Any:
            return getattr(self._tx, name)

        async def run_rows(self, *given: Any) -> Sequence[Row]:
            rows = await self._tx.run_rows(*given)
            tasks.append(asyncio.create_task(brings(world, "faq", "# New\nPark on the roof.")))
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
            while not tasks[0].done() and not await world.value(f"{waiting} AND datname = current_database()"):
                pass
            return rows

    async def keeps(tx: Writing) -> None:
        await vectors.keep(cast("Writing", Meanwhile(tx)), ours, "small/8", made)

    tasks: list[asyncio.Task[Any]] = []
    async with a_world(postgresql_url) as world:
        await brings(world, "faq", ENGLISH)
        await world.change("UPDATE knowledge SET space = 'small/8'")
        now = world.store.now()
        claimed = await world.store.write(lambda tx: vectors.claim(tx, "small/8", now, now + LEASE, ours=set()))
        assert isinstance(claimed, vectors.ToEmbed)
        ours = claimed
        found = await world.store.read(lambda tx: vectors.list_lacking(tx, ours, BATCH))
        made = [vectors.Vector(entry=one.entry, signs=b"1", numbers=b"1") for one in found]
        await world.store.write(keeps)
        await tasks[0]
        orphans = "SELECT count(*) FROM vector v WHERE NOT EXISTS (SELECT 1 FROM passage p WHERE p.entry = v.entry)"
        assert await world.value(orphans) == 0
        assert await embedded(world) == ("small/8", 0, 1)


async def test_a_running_road_hears_within_the_hour_that_the_length_changed(world: World) -> None:
    endpoint = Concepts()
    await brings(world, "faq", ENGLISH)
    road = await embeds(world, endpoint)
    endpoint.length = 6
    assert await road.look() == EVERY_SECONDS
    world.clock.passes(seconds=ASKED_EVERY.total_seconds() + 1)
    assert await road.look() == 0
    assert await embedded(world) == ("small/6", 9, 9)
    await brings(world, "faq", f"{ENGLISH}\nMore.")  # and at once where there is something to embed
    endpoint.length = 8
    assert await road.look() == 0
    world.clock.passes(seconds=60)
    assert await road.look() == 0
    assert await embedded(world) == ("small/8", 9, 9)


async def test_an_endpoint_that_fails_is_asked_less_and_less_and_nothing_is_lost(world: World) -> None:
    endpoint = Concepts()
    await brings(world, "faq", ENGLISH)
    endpoint.failures = [Transient("embedding_unreachable", "It could not be reached.")] * 3
    road = EmbeddingRoad(store=world.store, embeddings=endpoint)
    first, second = await road.look(), await road.look()
    assert first is not None
    assert second is not None
    assert 0 < first < second
    endpoint.failures = []
    assert await road.look() == 0
    assert await embedded(world) == ("small/8", 9, 9)
    await brings(world, "faq", f"{ENGLISH}\nMore.")
    endpoint.failures = [Transient("embedding_http_503", "It answered 503.")]
    assert await road.look() == 0
    count = len(endpoint.asked)
    assert await road.look() == EVERY_SECONDS  # the base is left alone for a moment
    assert len(endpoint.asked) == count
    world.clock.passes(seconds=2)
    assert await road.look() == 0
    assert await embedded(world) == ("small/8", 9, 9)


async def test_a_claim_that_nobody_ended_runs_out(world: World) -> None:
    class Dies(Concepts):
        async def embed(self, texts: Sequence[str], *, timeout_seconds: float) -> list[list[float]]:
            if len(texts) > 1:
                raise RuntimeError("the worker died")
            return await super().embed(texts, timeout_seconds=timeout_seconds)

    await brings(world, "faq", ENGLISH)
    with pytest.raises(RuntimeError):
        await EmbeddingRoad(store=world.store, embeddings=Dies()).look()
    endpoint = Concepts()
    road = await embeds(world, endpoint)
    assert (await embedded(world))[1] == 0
    world.clock.passes(seconds=LEASE.total_seconds())
    assert await road.look() == 0
    assert await embedded(world) == ("small/8", 9, 9)


async def test_a_passage_that_the_endpoint_refuses_is_found_by_words_and_holds_no_other_up(world: World) -> None:
    endpoint = Concepts()
    endpoint.refuses = "Parking"
    await brings(world, "faq", ENGLISH)
    await embeds(world, endpoint)
    assert await embedded(world) == ("small/8", 9, 9)
    titles = [one.title for one in (await finds(world, endpoint, "what does an apprentice do")).passages]
    assert titles
    assert not any(title.endswith("Parking") for title in titles)
    assert (await finds(world, endpoint, "where can i park")).passages[0].title.endswith("Parking")


async def test_a_text_that_changes_while_it_is_embedded_gets_none_of_the_old_vectors(world: World) -> None:
    class Slow(Concepts):
        async def embed(self, texts: Sequence[str], *, timeout_seconds: float) -> list[list[float]]:
            if len(texts) > 1 and len(self.asked) == 1:
                await brings(world, "faq", "# New\nPark on the roof.\n# Prices\nAll is free.")  # no transaction is open
            return await super().embed(texts, timeout_seconds=timeout_seconds)

    await brings(world, "faq", ENGLISH)
    road = EmbeddingRoad(store=world.store, embeddings=Slow())
    assert await road.look() == 0
    assert (await embedded(world))[1:] == (0, 2)
    assert await world.value("SELECT count(*) FROM vector") == 0
    assert await road.look() == 0
    assert await embedded(world) == ("small/8", 2, 2)


async def test_what_is_removed_or_replaced_leaves_no_vector(world: World) -> None:
    await brings(world, "faq", ENGLISH)
    await brings(world, "other", "# Parking\nHere.", "elsewhere")
    await embeds(world, Concepts())
    assert await world.value("SELECT count(*) FROM vector") == 10
    await brings(world, "faq", "# New\nPark on the roof.")
    assert await world.value("SELECT count(*) FROM vector") == 1
    assert (await embedded(world))[1:] == (0, 1)
    await embeds(world, Concepts())
    assert await world.store.write(lambda tx: knowledge.remove(tx, WORKSPACE, "faq", world.store.now()))
    assert await world.value("SELECT count(*) FROM vector") == 1
    assert await EmbeddingRoad(store=world.store, embeddings=Concepts()).look() == EVERY_SECONDS


async def test_an_endpoint_over_http_that_answers_nonsense_is_told_and_waited_for(world: World) -> None:
    vector = msgspec.json.encode({"data": [{"index": 0, "embedding": [1.0, 2.0]}]})
    await brings(world, "faq", "# Parking\nBehind the house.")
    async with (
        peer(http(200, "<html>"), http(200, vector), http(429), http(200, vector)) as server,
        aclosing(OpenAIEmbeddings(base_url=f"{server.url}/v1", model="small")) as endpoint,
    ):
        road = EmbeddingRoad(store=world.store, embeddings=endpoint)
        assert (await road.look() or 0) > 0
        assert await road.look() == 0
        assert (await embedded(world))[1] == 0
        world.clock.passes(seconds=2)
        assert await road.look() == 0
    assert await embedded(world) == ("small/2", 1, 1)
