"""Group commit: asks that wait together are committed together, and each gets its own answer."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from overture.domain.errors import Invalid, Refusal, Unavailable
from overture.domain.ports import Ids
from overture.store.batch import Batch
from overture.store.engine import Writing
from overture.store.statement import Command
from tests.world import World

ADD = Command("INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3) RETURNING id")


class Recorder:
    """An action that writes each ask, and remembers in which company it came."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []

    async def __call__(self, tx: Writing, asked: Sequence[str], now: datetime, ids: Ids) -> list[str | Refusal]:
        """Write; `poison` breaks the batch, `no` is refused."""
        self.batches.append(list(asked))
        answers: list[str | Refusal] = []
        for ask in asked:
            if ask == "no":
                answers.append(Invalid("no", "No."))
                continue
            if ask.startswith("poison"):
                raise ZeroDivisionError(ask)
            await tx.run(ADD, ask, ids.new(now), 0)
            answers.append(f"done {ask}")
        return answers


def batch_of(world: World, action: Any, **given: Any) -> Batch[str, str | Refusal]:
    return Batch(world.store, action, world.ids, **given)


async def test_answers_stand_in_the_order_asked(world: World) -> None:
    recorder = Recorder()
    batch = batch_of(world, recorder)
    names = [f"w{n:03}" for n in range(300)]
    answers = await asyncio.gather(*(batch.submit(name) for name in names))
    assert answers == [f"done {name}" for name in names]
    assert max(len(one) for one in recorder.batches) <= 128
    assert len(recorder.batches) < 20
    assert await world.column("SELECT id FROM workspace ORDER BY id") == names


async def test_a_refusal_is_an_answer(world: World) -> None:
    batch = batch_of(world, Recorder())
    done, refused, also = await asyncio.gather(batch.submit("a"), batch.submit("no"), batch.submit("b"))
    assert (done, also) == ("done a", "done b")
    assert isinstance(refused, Invalid)


@pytest.mark.promise("P15")
async def test_a_poisonous_ask_harms_no_neighbour(world: World) -> None:
    told: list[Any] = []
    batch = batch_of(world, Recorder(), after=told.extend)
    asked = ["a", "poison 1", "b", "no", "poison 2", "c"]
    answers = await asyncio.gather(*(batch.submit(one) for one in asked), return_exceptions=True)
    assert [str(one) for one in answers] == ["done a", "poison 1", "done b", "No.", "poison 2", "done c"]
    assert isinstance(answers[1], ZeroDivisionError)
    assert await world.column("SELECT id FROM workspace ORDER BY id") == ["a", "b", "c"]
    assert [str(one) for one in told] == ["done a", "done b", "No.", "done c"]


async def test_a_row_that_the_database_refuses_harms_no_neighbour(world: World) -> None:
    batch = batch_of(world, Recorder())
    answers = await asyncio.gather(*(batch.submit(one) for one in ("a", "b", "b", "c")), return_exceptions=True)
    assert [str(one) for n, one in enumerate(answers) if n != 2] == ["done a", "done b", "done c"]
    assert isinstance(answers[2], Exception)
    assert not isinstance(answers[2], Unavailable)


async def test_a_database_that_is_away_is_told_to_all(world: World) -> None:
    batch = batch_of(world, Recorder())
    await world.store.close()
    answers = await asyncio.gather(*(batch.submit(str(n)) for n in range(5)), return_exceptions=True)
    assert all(isinstance(one, Unavailable) for one in answers)


async def test_nobody_waits_for_ever_however_the_asks_arrive(world: World) -> None:
    """An ask may come in the very step in which the last drain found nothing more to do."""
    batch = batch_of(world, Recorder())

    async def asks_again_and_again(who: int) -> None:
        for n in range(15):
            await batch.submit(f"{who}-{n}")
            for _ in range((who + n) % 4):
                await asyncio.sleep(0)

    await asyncio.wait_for(asyncio.gather(*(asks_again_and_again(who) for who in range(12))), 30)
    assert await world.value("SELECT count(*) FROM workspace") == 180


async def test_an_ask_from_within_an_answer_is_answered(world: World) -> None:
    batch = batch_of(world, Recorder())
    first = batch.submit("first")
    second: list[asyncio.Future[Any]] = []
    first.add_done_callback(lambda _: second.append(batch.submit("second")))
    await first
    await asyncio.sleep(0)
    assert await asyncio.wait_for(second[0], 5) == "done second"


async def test_an_asker_who_left_harms_nobody(world: World) -> None:
    batch = batch_of(world, Recorder())
    leaving, staying = batch.submit("leaving"), batch.submit("staying")
    leaving.cancel()
    assert await staying == "done staying"
    assert await world.column("SELECT id FROM workspace ORDER BY id") == ["leaving", "staying"]


async def test_settle_waits_for_everything_submitted(world: World) -> None:
    batch = batch_of(world, Recorder())
    futures = [batch.submit(str(n)) for n in range(10)]
    await batch.settle()
    assert all(future.done() for future in futures)
    await batch.settle()


@pytest.mark.parametrize("fault", ["too few answers", "a listener that breaks"])
async def test_a_fault_of_ours_leaves_nobody_waiting(world: World, fault: str) -> None:
    async def answers_one(tx: Writing, asked: Sequence[str], now: datetime, ids: Ids) -> list[str]:
        return ["the only answer"]

    def breaks(_: Sequence[str]) -> None:
        raise ZeroDivisionError

    batch = (
        batch_of(world, answers_one)
        if fault == "too few answers"
        else batch_of(world, Recorder(), after=breaks, limit=2)
    )
    futures = [batch.submit(name) for name in ("a", "b", "c")]
    answered, waiting = await asyncio.wait(futures, timeout=5)
    assert (len(answered), len(waiting)) == (3, 0)
    for future in answered:
        future.exception()


async def test_ids_of_one_shard_rise(world: World) -> None:
    made = [world.ids.new(world.clock.now(), 7) for _ in range(5000)]
    assert made == sorted(made)
    assert len(set(made)) == 5000
