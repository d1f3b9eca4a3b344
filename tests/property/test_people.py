"""A person takes a conversation over, writes, and gives it back, while its agent thinks and sends.

What the agent said and had not been claimed when the takeover was committed never leaves; what the person wrote leaves
once, in order, whatever else happens in the same instant.
"""

import functools
import random
from collections import Counter
from collections.abc import Sequence

import msgspec
import pytest

from overture.actions.hand_back import hand_back
from overture.actions.write_message import Message, write_message
from overture.domain.agent import OnActive
from overture.domain.conversation import Mode
from overture.domain.message import Author, Direction
from overture.store.engine import Writing
from overture.store.statement import Query
from tests.property.racing import all_at_once, go_on, processes
from tests.property.test_silence import Race as Silencing
from tests.property.test_silence import working
from tests.reaching import Reached
from tests.sizes import size
from tests.world import BOOKER, WORKSPACE, World

RACES = size(small=40, full=4_000)
TOGETHER = 20
SAID = Query(
    """
    SELECT a.message_id, a.state, o.state FROM attempt a
    JOIN message m ON m.workspace_id = a.workspace_id AND m.conversation_id = a.conversation_id AND m.seq = a.seq
    LEFT JOIN outbox o ON o.message_id = a.message_id
    WHERE a.conversation_id = $1 AND m.author <> 'operator'
    """
)
LEAVING = Query(
    """
    SELECT o.message_id FROM outbox o
    JOIN message m ON m.workspace_id = o.workspace_id AND m.conversation_id = o.conversation_id AND m.seq = o.seq
    WHERE o.conversation_id = $1 AND o.state IN ('sending', 'uncertain') AND m.author <> 'operator'
    """
)


class Race(Silencing):
    """Conversations that are taken over by writing into them."""

    async def take_over_and_write(self, contact: str, *, when_sending: bool) -> None:
        """A person takes it over with their first line, and writes another one."""
        if when_sending:
            await self.world.twilio.posted.wait()
        conversation_id = self.conversations[contact]

        async def first(tx: Writing) -> tuple[set[str], set[str]]:
            await write(tx, self.world, conversation_id, f"A person here, {contact}.", takes_over=True)
            claimed = {row[0] for row in await tx.all(SAID, conversation_id)}
            return claimed, {row[0] for row in await tx.all(LEAVING, conversation_id)}

        claimed, leaving = await self.dice.choice(self.worlds).store.write(first)
        self.allowed[contact], self.in_flight[contact] = claimed, len(leaving)
        await self.dice.choice(self.worlds).store.write(
            lambda tx: write(tx, self.world, conversation_id, f"Still here, {contact}.")
        )


async def write(tx: Writing, world: World, conversation_id: str, text: str, *, takes_over: bool | None = None) -> None:
    asked = Message(
        workspace_id=WORKSPACE,
        conversation_id=conversation_id,
        by="Bo",
        digest=text,
        text=text,
        takes_over=takes_over,
        idempotency_key=text,
    )
    await write_message(tx, asked, world.clock.now(), world.ids)


def contacts_of(batch: int) -> list[str]:
    return [f"+1555{batch * TOGETHER + n + 3_000_000:07}" for n in range(TOGETHER)]


async def lines_of(race: Race, contact: str) -> list[tuple[Author, str, str]]:
    """Who said what in a conversation, of our side, with the line's id."""
    found = await race.world.lines(race.conversations[contact])
    return [(line.author, line.text, line.id) for line in found if line.direction is Direction.OUT]


@pytest.mark.promise("P23")
async def test_who_takes_over_by_writing_is_the_only_one_to_be_heard_from_then_on(
    database_url: str, reached: Reached
) -> None:
    left, flying, taken_back = 0, 0, 0
    async with processes(database_url, 3) as worlds:
        world, dice = worlds[0], random.Random(230)
        await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
        for batch in range(RACES // TOGETHER):
            contacts = contacts_of(batch)
            race = Race(worlds, dice)
            await race.prepare(contacts)
            taking = [
                functools.partial(race.take_over_and_write, contact, when_sending=n % 2 == 0)
                for n, contact in enumerate(contacts)
            ]
            await all_at_once(race.dice, *taking, *working(race))
            await race.settle()
            posted = Counter(post["Body"] for post in world.twilio.posts)
            sent = await race.sent()
            for contact in contacts:
                lines = await lines_of(race, contact)
                agents = {an_id for author, _, an_id in lines if author is not Author.OPERATOR}
                claimed = sent.get(contact, set())
                assert claimed & agents <= race.allowed[contact], contact
                assert race.in_flight[contact] <= 1, contact
                assert [posted[f"A person here, {contact}."], posted[f"Still here, {contact}."]] == [1, 1], contact
                taken_back += len(agents - claimed)
                left += len(claimed & agents)
            await orders_held(world, contacts)
            flying += sum(race.in_flight.values())
            await race.forget()
    assert left > RACES // 10 < taken_back, "the races were not close enough to be any"
    reached(
        f"{RACES} races: {left} agent's messages had left before ({flying} of them at the provider), {taken_back} were "
        f"taken back, 0 left after; every line of the person left once, in order"
    )


async def orders_held(world: World, contacts: Sequence[str]) -> None:
    """A person's first line left before their second."""
    bodies = [post["Body"] for post in world.twilio.posts]
    for contact in contacts:
        assert bodies.index(f"A person here, {contact}.") < bodies.index(f"Still here, {contact}.")


@pytest.mark.promise("P23")
async def test_handing_back_in_the_middle_of_anything_loses_no_line_of_a_person_and_answers_no_line_twice(
    database_url: str,
) -> None:
    async with processes(database_url, 3) as worlds:
        world, dice = worlds[0], random.Random(231)
        await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
        contacts = contacts_of(0)
        race = Race(worlds, dice)
        await race.prepare(contacts)

        async def come_and_go(contact: str) -> None:
            await race.take_over_and_write(contact, when_sending=False)
            await dice.choice(worlds).store.write(
                lambda tx: hand_back(
                    tx,
                    workspace_id=WORKSPACE,
                    conversation_id=race.conversations[contact],
                    by="Bo",
                    now=world.clock.now(),
                    ids=world.ids,
                )
            )

        await all_at_once(dice, *(functools.partial(come_and_go, c) for c in contacts), *working(race))
        await race.settle()
        await go_on(worlds, until=functools.partial(is_quiet, world))
        posted = Counter(post["Body"] for post in world.twilio.posts)
        assert set(posted.values()) == {1} or posted.most_common(1)[0][0].startswith(BOOKER_TIME)
        for contact in contacts:
            assert posted[f"A person here, {contact}."] == 1
            assert posted[f"Still here, {contact}."] == 1
            present = await world.conversation(race.conversations[contact])
            assert (present.mode, present.handled_seq) == (Mode.BOT, present.in_seq)
            turns = await world.rows("SELECT from_seq, to_seq FROM turn WHERE conversation_id = $1", present.id)
            assert len({row[1] for row in turns}) == len(turns)


BOOKER_TIME = "Monday it is"  # the agent says the same to every contact


async def is_quiet(world: World) -> bool:
    return not await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'")
