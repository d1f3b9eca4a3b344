"""Turns: one at a time, nothing lost and nothing answered twice, and never silence."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from overture.actions import claim_turns, commit_turn
from overture.actions.claim_turns import TurnClaim
from overture.domain.agent import Ask, EndReason, FlowSpec, Node, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.errors import Permanent, Transient
from overture.domain.turn import Finish, ModelRequest
from overture.store import turns
from overture.turns.run_turn import run_turn
from tests.people import ends
from tests.world import BOOKER, NOON, WORKSPACE, ScriptedModel, World, a_world

PROMPT = PromptSpec(
    name="Helper", instructions="Help.", greeting="Hi there!", fallback="A colleague will write to you."
)


@asynccontextmanager
async def prompted(
    url: str, *answers: Any, spec: PromptSpec = PROMPT
) -> AsyncIterator[tuple[World, ScriptedModel, str]]:
    """A world whose agent asks a model that answers from a list; its conversation has begun."""
    model = ScriptedModel(*answers)
    async with a_world(url, model=model) as world:
        await world.saves(spec)
        yield world, model, await world.starts()


async def claims(world: World, limit: int = 10) -> list[TurnClaim]:
    return await world.store.write(lambda tx: claim_turns.claim_turns(tx, limit, world.clock.now()))


async def test_a_burst_becomes_one_turn_and_one_reply(world: World) -> None:
    an_id = await world.starts()
    for word in ("Hm", "Monday", "or rather Tuesday"):
        await world.hears(word)
    await world.takes_turns()
    await world.takes_turns()
    assert len((await world.texts(an_id))[4:]) == 1
    [turn] = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, an_id))
    assert (turn.trigger, turn.from_seq, turn.to_seq, turn.outcome) == ("inbound", 1, 4, "replied")
    conversation = await world.conversation(an_id)
    assert (conversation.handled_seq, conversation.turn_due_at, conversation.first_pending_at) == (4, None, None)


async def test_a_flow_is_walked_to_its_goodbye_which_leaves_although_it_has_ended(world: World) -> None:
    an_id = await world.starts()
    for word in ("Monday", "ten"):
        await world.hears(word)
        await world.takes_turns()
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.end_reason) == (Mode.ENDED, EndReason.COMPLETED)
    await world.sends(4)
    assert world.twilio.said == ["Hello Ada", "Monday it is. At what time?", "See you on Monday at ten."]


async def test_a_hand_over_says_its_words_and_then_the_agent_is_silent(world: World) -> None:
    nodes = {"start": Node(say="What is it?", ask=Ask(slot="what"), goto="out"), "out": Node(hand_over="wants {what}")}
    await world.saves(FlowSpec(name="H", nodes=nodes))
    an_id = await world.starts()
    await world.hears("a refund")
    await world.takes_turns()
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.mode_note) == (Mode.HUMAN, "wants a refund")
    assert len(await world.events("conversation.handed_over")) == 1
    await world.hears("hello?")
    await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == ["Hello Ada", "A colleague will take over from here."]


async def test_after_so_many_turns_it_ends(world: World) -> None:
    await world.saves(FlowSpec(name="B", nodes=BOOKER.nodes, max_turns=1))
    an_id = await world.starts()
    await world.hears("Monday")
    await world.takes_turns()
    assert (await world.conversation(an_id)).end_reason is EndReason.MAX_TURNS
    await world.sends(3)
    assert world.twilio.said == ["Hello Ada", "Monday it is. At what time?"]


# a model


async def test_a_prompt_agent_answers_by_its_model_and_keeps_a_journal(database_url: str) -> None:
    async with prompted(database_url, "We open at nine.") as (world, model, an_id):
        await world.hears("When do you open?")
        await world.takes_turns()
        assert await world.texts(an_id) == ["Hello Ada", "> When do you open?", "We open at nine."]
        [request] = model.asked
        assert [(line.role, line.text) for line in request.lines] == [
            ("assistant", "Hello Ada"),
            ("user", "When do you open?"),
        ]
        [step] = await world.rows("SELECT kind, state, result FROM step")
        assert (step[0], step[1]) == ("model", "done")
        assert "nine" in step[2]


async def test_an_opening_that_the_model_composes_is_a_turn(database_url: str) -> None:
    spec = PromptSpec(name="D", instructions="Help.", greeting_mode="dynamic")
    async with a_world(database_url, model=ScriptedModel("Hello from the model.")) as world:
        await world.saves(spec)
        an_id = await world.starts(text=None)
        await world.takes_turns()
        await world.sends()
        assert await world.texts(an_id) == world.twilio.said == ["Hello from the model."]


def while_drafting(doing: Callable[[], Awaitable[Any]], answer: str) -> Callable[[ModelRequest], Awaitable[str]]:
    """A model that answers after something has happened."""

    async def answers(_: ModelRequest) -> str:
        await doing()
        return answer

    return answers


async def test_what_arrives_while_a_turn_is_drafted_is_folded_in(database_url: str) -> None:
    async with prompted(database_url) as (world, model, an_id):
        model.answers = [while_drafting(lambda: world.hears("I mean Tuesday"), "Monday."), "Tuesday then."]
        await world.hears("Monday?")
        await world.takes_turns()
        assert await world.texts(an_id) == ["Hello Ada", "> Monday?", "> I mean Tuesday", "Tuesday then."]
        assert [line.text for line in model.asked[1].lines][-1] == "Monday?\nI mean Tuesday"
        [turn] = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, an_id))
        assert (turn.redrafts, turn.to_seq) == (1, 3)


async def test_a_contact_who_keeps_writing_is_answered_all_the_same(database_url: str) -> None:
    async with prompted(database_url) as (world, model, an_id):
        model.answers = [while_drafting(lambda n=n: world.hears(f"and {n}"), f"Answer {n}.") for n in range(3)]  # type: ignore[misc]
        model.answers.append("To the last one.")
        await world.hears("first")
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "Answer 2."
        assert (await world.conversation(an_id)).turn_due_at is not None  # the line that came last waits for its turn
        await world.takes_turns()
        assert (await world.texts(an_id))[-1] == "To the last one."
        assert (await world.conversation(an_id)).turn_due_at is None


async def test_more_lines_than_a_turn_reads_are_answered_by_the_next(database_url: str) -> None:
    async with prompted(database_url) as (world, model, an_id):
        for n in range(claim_turns.HISTORY + 3):
            await world.keeps(world.written(f"line {n}"))
        await world.handles()
        model.answers = [while_drafting(lambda: world.hears("the last line"), "To the first."), "To the others."]
        await world.takes_turns()
        await world.takes_turns()
        assert (await world.texts(an_id))[-2:] == ["To the first.", "To the others."]
        heard = [request.lines[-1].text.splitlines() for request in model.asked]
        assert [line for lines in heard for line in lines if line.startswith("line")] == [
            f"line {n}" for n in range(claim_turns.HISTORY + 3)
        ]
        assert heard[1][-1] == "the last line"
        assert (await world.conversation(an_id)).turn_due_at is None


@pytest.mark.parametrize("ending", ["an end", "an opt-out", "a new conversation"])
@pytest.mark.promise("P22")
async def test_a_turn_whose_conversation_ended_meanwhile_says_nothing(database_url: str, ending: str) -> None:
    async with prompted(database_url) as (world, model, an_id):
        endings: dict[str, Callable[[], Awaitable[Any]]] = {
            "an end": lambda: ends(world, an_id),
            "an opt-out": lambda: world.hears("STOP"),
            "a new conversation": lambda: world.starts(text="Anew"),
        }
        await world.sends()
        await world.hears("Hello?")
        model.answers = [while_drafting(endings[ending], "Too late.")]
        await world.takes_turns()
        await world.sends(3)
        assert "Too late." not in await world.texts(an_id)
        assert world.twilio.said == (["Hello Ada", "Anew"] if ending == "a new conversation" else ["Hello Ada"])
        assert (await world.conversation(an_id)).mode is Mode.ENDED


@pytest.mark.promise("P23")
async def test_a_turn_that_was_taken_over_by_a_person_says_nothing(database_url: str) -> None:
    async with prompted(database_url) as (world, model, an_id):
        take_over = "UPDATE conversation SET mode = 'human', epoch = epoch + 1, turn_due_at = NULL, turn_leased = FALSE"
        model.answers = [while_drafting(lambda: world.change(take_over), "Too late.")]
        await world.hears("Hello?")
        await world.takes_turns()
        assert await world.texts(an_id) == ["Hello Ada", "> Hello?"]
        assert await world.value("SELECT count(*) FROM turn") == 0


@pytest.mark.parametrize(
    ("failures", "expected"),
    [
        ([Transient("busy", "Busy.", retry_after_seconds=0)], "At last."),
        ([Permanent("refused", "Refused.")], None),
        ([Transient("busy", "Busy.", retry_after_seconds=0)] * 3, None),
    ],
)
@pytest.mark.promise("P16")
async def test_a_model_that_fails_ends_in_the_fallback_and_a_person(
    database_url: str, failures: list[Exception], expected: str | None
) -> None:
    async with prompted(database_url, *failures, "At last.") as (world, _, an_id):
        await world.hears("Hello?")
        await world.takes_turns()
        conversation = await world.conversation(an_id)
        if expected is None:
            assert (await world.texts(an_id))[-1] == PROMPT.fallback
            assert conversation.mode is Mode.HUMAN
            await world.sends(2)
            assert world.twilio.said[-1] == PROMPT.fallback
        else:
            assert (await world.texts(an_id))[-1] == expected
            assert conversation.mode is Mode.BOT


# claims


async def test_a_claim_keeps_others_away_until_it_runs_out(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    [first] = await claims(world)
    assert (first.conversation.fence, first.conversation.tries) == (1, 1)
    assert [line.text for line in first.heard] == ["Monday"]
    assert [line.text for line in first.history] == ["Hello Ada"]
    assert await claims(world) == []
    world.clock.passes(seconds=29)
    assert await claims(world) == []
    world.clock.passes(seconds=1)
    [second] = await claims(world)
    assert (second.conversation.id, second.conversation.fence, second.conversation.tries) == (an_id, 2, 2)


async def test_a_claim_that_was_taken_over_commits_nothing(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    [old] = await claims(world)
    world.clock.passes(seconds=31)
    [new] = await claims(world)
    lost = await run_turn(old, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    assert isinstance(lost, commit_turn.Lost)
    assert await world.texts(an_id) == ["Hello Ada", "> Monday"]
    done = await run_turn(new, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    assert isinstance(done, commit_turn.Committed)
    again = await run_turn(new, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    assert isinstance(again, commit_turn.Lost)  # a claim is good for one commit
    assert (await world.texts(an_id))[2:] == ["Monday it is. At what time?"]


async def test_a_claim_is_renewed_only_by_who_holds_it(world: World) -> None:
    await world.starts()
    await world.hears("Monday")
    [old] = await claims(world)
    world.clock.passes(seconds=20)
    until = world.clock.now() + claim_turns.LEASE
    assert await world.store.write(lambda tx: turns.renew(tx, old.conversation, until))
    world.clock.passes(seconds=20)
    assert await claims(world) == []
    world.clock.passes(seconds=20)
    [_] = await claims(world)
    assert not await world.store.write(lambda tx: turns.renew(tx, old.conversation, until + timedelta(hours=1)))


async def test_two_processes_never_claim_the_same_turn(postgresql_url: str) -> None:
    async with a_world(postgresql_url) as one, a_world(postgresql_url, furnish=False) as two:
        for n in range(20):
            await one.starts(to_number=f"+155502000{n:02}")
            await one.hears("Monday", by=f"+155502000{n:02}")
        claimed = await asyncio.gather(*(claims(world, 7) for _ in range(3) for world in (one, two)))
        ids = [claim.conversation.id for some in claimed for claim in some]
        assert len(ids) == len(set(ids)) == 20


async def test_a_line_that_comes_while_a_turn_is_claimed_leaves_its_lease_alone(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    [claim] = await claims(world)
    await world.hears("at ten")
    assert (await world.conversation(an_id)).turn_due_at == NOON + claim_turns.LEASE
    assert await claims(world) == []
    outcome = await run_turn(claim, store=world.store, model=world.model, ids=world.ids, signals=world.signals)
    assert isinstance(outcome, commit_turn.Committed)
    assert (await world.conversation(an_id)).handled_seq == 3


@pytest.mark.promise("P16")
async def test_after_three_tries_that_died_the_contact_gets_the_fallback(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    for _ in range(3):
        [_claim] = await claims(world)
        world.clock.passes(seconds=31)
    await world.takes_turns()
    assert (await world.texts(an_id))[-1] == BOOKER.fallback
    assert (await world.conversation(an_id)).mode is Mode.HUMAN


@pytest.mark.promise("P16")
async def test_even_a_state_that_cannot_be_read_ends_in_the_fallback(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    await world.change('UPDATE conversation SET state = \'{"of": "another version"}\'')
    for _ in range(5):
        await world.takes_turns()
        world.clock.passes(seconds=31)
    assert (await world.texts(an_id))[2:] == [BOOKER.fallback]


async def test_what_was_said_before_a_goodbye_leaves_before_it(world: World) -> None:
    """The agent ends the conversation while its last question still waits for the provider."""
    an_id = await world.starts()
    await world.sends()
    for word in ("Monday", "ten"):
        await world.hears(word)
        await world.takes_turns()
    await world.sends(3)
    assert world.twilio.said == [text for text in await world.texts(an_id) if not text.startswith("> ")]


async def test_a_silent_turn_is_a_decision_on_record(world: World) -> None:
    an_id = await world.starts()
    await world.hears("Monday")
    [claim] = await claims(world)
    draft = commit_turn.Draft(
        turn_id=world.ids.new(NOON, claim.conversation.shard),
        claim=claim,
        finish=Finish(replies=(), place="start"),
        state='{"node":"start"}',
        to_seq=2,
        redrafts=0,
        trigger="inbound",
        started_at=NOON,
    )
    outcome = await world.store.write(lambda tx: commit_turn.commit_turn(tx, draft, world.clock.now(), world.ids))
    assert outcome == commit_turn.Committed(messages=0, mode=Mode.BOT)
    [turn] = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, an_id))
    assert turn.outcome == "silent"
