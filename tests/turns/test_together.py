"""Turns that end together are committed together, and each comes to what it would have come to alone."""

from msgspec.structs import replace

from overture.actions import claim_turns, commit_turn
from overture.actions.claim_turns import TurnClaim
from overture.actions.commit_turn import Committed, Draft, Lost, Newer
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.domain.turn import End, Finish
from overture.store import turns
from overture.store.batch import Batch
from tests import people
from tests.world import NOON, WORKSPACE, World

PEOPLE = [f"+155502000{n:02}" for n in range(5)]


async def _claimed(world: World) -> dict[str, TurnClaim]:
    """A claim on a turn of each person's conversation."""
    ids = {}
    for person in PEOPLE:
        ids[await world.starts(to_number=person)] = person
        await world.hears("Monday", by=person)
    claims = await world.store.write(lambda tx: claim_turns.claim_turns(tx, 10, world.clock.now()))
    by_person = {ids[claim.conversation.id]: claim for claim in claims}
    return {person: by_person[person] for person in PEOPLE}


def _draft(world: World, claim: TurnClaim, *replies: str, place: str = "start", ends: bool = False) -> Draft:
    control = End(reason=EndReason.COMPLETED) if ends else None
    return Draft(
        turn_id=world.ids.new(NOON, claim.conversation.shard),
        claim=claim,
        finish=Finish(replies=replies, place=place, control=control),
        state='{"node":"start"}',
        to_seq=claim.conversation.in_seq,
        redrafts=0,
        trigger="inbound",
        started_at=NOON,
    )


async def test_each_of_many_turns_comes_to_what_it_would_have_come_to_alone(world: World) -> None:
    says, is_silent, ends, hears_more, is_over = (await _claimed(world)).values()
    await world.hears("or Tuesday", by=PEOPLE[3])
    gone = is_over.conversation.id
    await people.ends(world, gone)
    drafts = [
        _draft(world, says, "One.", "Two."),
        _draft(world, is_silent),
        _draft(world, ends, "Bye.", ends=True),
        _draft(world, hears_more, "Monday it is."),
        _draft(world, is_over, "Too late."),
    ]
    outcomes = await world.store.write(lambda tx: commit_turn.commit_turns(tx, drafts, world.clock.now(), world.ids))
    assert outcomes[:3] == [
        Committed(messages=2, mode=Mode.BOT),
        Committed(messages=0, mode=Mode.BOT),
        Committed(messages=1, mode=Mode.ENDED),
    ]
    newer, lost = outcomes[3:]
    assert isinstance(newer, Newer)
    assert [line.text for line in newer.heard] == ["Monday", "or Tuesday"]
    assert isinstance(lost, Lost)
    said = [(await world.texts(draft.claim.conversation.id))[2:] for draft in drafts]
    assert said == [["One.", "Two."], [], ["Bye."], ["> or Tuesday"], []]
    kept = await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, ends.conversation.id))
    assert [(turn.outcome, turn.to_seq) for turn in kept] == [("replied", 2)]
    ended = await world.conversation(ends.conversation.id)
    assert (ended.mode, ended.end_reason) == (Mode.ENDED, EndReason.COMPLETED)


async def test_of_two_drafts_of_one_turn_in_one_commit_only_the_first_counts(world: World) -> None:
    claim = (await _claimed(world))[PEOPLE[0]]
    drafts = [_draft(world, claim, "First."), _draft(world, claim, "Second.")]
    outcomes = await world.store.write(lambda tx: commit_turn.commit_turns(tx, drafts, world.clock.now(), world.ids))
    assert outcomes == [Committed(messages=1, mode=Mode.BOT), Lost(why="claimed again")]
    assert (await world.texts(claim.conversation.id))[2:] == ["First."]


async def test_a_turn_that_cannot_be_written_harms_no_neighbour(world: World) -> None:
    poisonous, *others = (await _claimed(world)).values()
    commits = Batch(world.store, commit_turn.commit_turns, world.ids)
    broken = replace(_draft(world, poisonous, "Never."), turn_id=None)
    asked = [commits.submit(one) for one in (broken, *(_draft(world, claim, "Fine.") for claim in others))]
    await commits.settle()
    assert asked[0].exception() is not None
    assert [one.result() for one in asked[1:]] == [Committed(messages=1, mode=Mode.BOT)] * len(others)
    assert (await world.texts(poisonous.conversation.id))[2:] == []
