"""Silence after a STOP, a takeover and an end, whatever else happens in the same instant.

What may still be seen at the provider is exactly what had been claimed when the STOP (the takeover, the end) was
committed: the attempts that its own transaction saw, since a claim and it lock the same rows.
"""

import asyncio
import functools
import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeAlias

import msgspec
import pytest

from overture.actions.end_conversation import end_conversation
from overture.actions.handle_inbox import handle_inbox
from overture.actions.record_consents import Taken, record_consents
from overture.actions.take_over import take_over as people_take_over
from overture.domain import consent
from overture.domain.agent import EndReason, OnActive
from overture.domain.consent_row import ConsentChange, Row
from overture.domain.conversation import Mode
from overture.domain.listening import Listening
from overture.domain.reply_time import QuietTimes
from overture.store.engine import Writing
from overture.store.statement import Command, Query
from tests.property.racing import all_at_once, go_on, processes
from tests.reaching import Reached
from tests.sizes import size
from tests.world import BOOKER, SMS, TABLES, WHATSAPP, WORKSPACE, World

Silence: TypeAlias = Callable[[Writing, World, str], Awaitable[object]]

RACES = size(small=60, full=10_000)
TOGETHER = 30  # races that run at once
WORKERS = 3
CLAIMED = Query(
    """
    SELECT t.contact_address, a.message_id, a.state FROM attempt a
    JOIN conversation v ON v.workspace_id = a.workspace_id AND v.id = a.conversation_id
    JOIN thread t ON t.id = v.thread_id
    """
)


class Race:
    """What had been claimed for each contact when it was silenced."""

    def __init__(self, worlds: Sequence[World], dice: random.Random) -> None:
        self.worlds = worlds
        self.world = worlds[0]
        self.dice = dice
        self.allowed: dict[str, set[str]] = {}
        self.in_flight: dict[str, int] = {}
        self.conversations: dict[str, str] = {}
        self._handling = asyncio.Lock()  # one inbox at a time: who sees an opt-out first is then who wrote it

    async def prepare(self, contacts: Sequence[str]) -> None:
        """Each contact has a conversation with messages in the queue and a line that waits for its answer."""
        world = self.world
        for contact in contacts:
            await world.keeps(world.written("hello", by=contact, channel=channel_of(contact)))
        await world.handles()
        for text in ("One.", "Two.", "Three."):
            asked = [world.asks(to_number=c, channel=channel_of(c), text=f"{text} For {c}") for c in contacts]
            for contact, answer in zip(contacts, await world.starts_all(*asked), strict=True):
                self.conversations[contact] = answer.conversation_id  # type: ignore[union-attr]
        for contact in contacts:
            await world.keeps(world.written("Monday", by=contact, channel=channel_of(contact)))
        await world.handles()

    def saw(self, contacts: Sequence[str], claimed: Sequence[Sequence[Any]]) -> None:
        """Keep what a silencing transaction saw."""
        for contact in contacts:
            self.allowed[contact] = {row[1] for row in claimed if row[0] == contact}
            self.in_flight[contact] = sum(row[0] == contact and row[2] == "sending" for row in claimed)

    async def hear(self) -> int:
        """Handle what came in, and keep what had been claimed for those who thereby opted out; how much was handled."""

        async def handle(tx: Writing) -> tuple[int, set[str], Sequence[Any]]:
            world, listening = self.world, Listening(quiet=QuietTimes(every=0))
            count = await handle_inbox(tx, world.clock.now(), world.ids, world.webhooks, listening, limit=64)
            out = await tx.all(Query("SELECT address FROM contact WHERE opted_out_at IS NOT NULL"))
            return count, {row[0] for row in out}, await tx.all(CLAIMED)

        async with self._handling:
            count, out, claimed = await self.world.store.write(handle)
            self.saw(sorted(out - set(self.allowed)), claimed)
        return count

    async def silence(self, contact: str, command: Silence, *, when_sending: bool) -> None:
        """Silence a contact's conversation, in the middle of sending if so, and keep what had been claimed for it."""
        if when_sending:
            await self.world.twilio.posted.wait()

        async def do(tx: Writing) -> Sequence[Any]:
            await command(tx, self.world, self.conversations[contact])
            return await tx.all(CLAIMED)

        self.saw([contact], await self.dice.choice(self.worlds).store.write(do))

    async def settle(self) -> None:
        """Let everything that may leave do so."""

        async def quiet() -> bool:
            world = self.world
            waiting = await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'")
            turns = await world.value("SELECT count(*) FROM conversation WHERE turn_due_at IS NOT NULL")
            return not waiting and not turns

        await go_on(self.worlds, until=quiet)

    async def forget(self) -> None:
        """Empty what this race filled: the next begins on a small database."""
        for table in TABLES:  # TRUNCATE leaves no dead rows behind, of which ten thousand races would make millions
            await self.world.change(f"/*pg: TRUNCATE */ /*sqlite: DELETE FROM */ {table}")
        self.world.twilio.posts.clear()
        self.world.twilio.posted.clear()
        self.world.twilio.taken.clear()

    async def sent(self) -> dict[str, set[str]]:
        """The messages that were ever claimed, by contact."""
        found: dict[str, set[str]] = {}
        for contact, message, _ in await self.world.store.read(lambda tx: tx.all(CLAIMED)):
            found.setdefault(contact, set()).add(message)
        return found


def channel_of(contact: str) -> Any:
    """Every other contact is on WhatsApp, where the confirmation of a STOP is ours."""
    return WHATSAPP if int(contact[-1]) % 2 else SMS


def contacts_of(batch: int) -> list[str]:
    return [f"+1555{batch * TOGETHER + n + 2_000_000:07}" for n in range(min(TOGETHER, RACES - batch * TOGETHER))]


def others_of(race: Race, contacts: Sequence[str]) -> list[Any]:
    """What happens beside: every process works, and somebody asks to write to half of them."""
    return working(race) + [
        lambda c=c: race.dice.choice(race.worlds).answers(to_number=c, channel=channel_of(c), text=f"One more, {c}")
        for c in race.dice.sample(contacts, len(contacts) // 2)
    ]


def working(race: Race) -> list[Any]:
    """What every process does: send round after round, and take turns beside."""

    async def rounds(what: Callable[[], Awaitable[None]]) -> None:
        for _ in range(3):
            await what()

    return [functools.partial(rounds, what) for world in race.worlds for what in (world.sends, world.takes_turns)]


@pytest.mark.promise("P22")
async def test_after_a_stop_is_committed_nothing_leaves_but_its_confirmation(
    database_url: str, reached: Reached
) -> None:
    left, taken_back = 0, 0
    async with processes(database_url, WORKERS) as worlds:
        world, dice = worlds[0], random.Random(22)
        await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
        for batch in range((RACES + TOGETHER - 1) // TOGETHER):
            contacts = contacts_of(batch)
            race = Race(worlds, dice)
            await race.prepare(contacts)

            async def stop(some: Sequence[str]) -> None:
                await world.keeps(*(world.written("STOP", by=c, channel=channel_of(c)) for c in some))

            stops = [lambda some=contacts[n::5]: stop(some) for n in range(5)]
            hearings = [race.hear for _ in range(6)]
            await all_at_once(race.dice, *stops, *hearings, *others_of(race, contacts))
            while await race.hear():
                pass
            await race.settle()
            assert set(contacts) == set(race.allowed)
            sent = await race.sent()
            for contact in contacts:
                await only_a_confirmation_left(race, contact, sent.get(contact, set()) - race.allowed[contact])
            posts = sum(map(len, sent.values()))
            assert len(world.twilio.posts) == posts
            left += sum(map(len, race.allowed.values()))
            taken_back += await world.value("SELECT count(*) FROM message WHERE direction = 'out'") - posts
            await race.forget()
    assert left > RACES // 10 < taken_back, "the races were not close enough to be any"
    reached(f"{RACES} races: {left} messages had left before their STOP, {taken_back} were taken back, 0 left after it")


async def only_a_confirmation_left(race: Race, contact: str, after: set[str]) -> None:
    """After its STOP a contact was sent nothing, or the one confirmation where that is ours."""
    world = race.world
    ended = await world.conversation(race.conversations[contact])
    assert (ended.mode, ended.end_reason) == (Mode.ENDED, EndReason.OPT_OUT)
    bodies = [await world.value("SELECT body FROM message WHERE id = $1", message_id) for message_id in after]
    assert len(bodies) == (channel_of(contact) is WHATSAPP), (contact, bodies)
    assert all(consent.CONFIRMATION[:20] in body for body in bodies), (contact, bodies)


async def take_over(tx: Writing, world: World, conversation_id: str) -> None:
    """A person takes the conversation."""
    await people_take_over(
        tx, workspace_id=WORKSPACE, conversation_id=conversation_id, by="Bo", now=world.clock.now(), ids=world.ids
    )


TAKE_OVER = Command(
    """
    UPDATE conversation SET mode = 'human', epoch = epoch + 1, turn_due_at = NULL, turn_leased = FALSE
    WHERE workspace_id = $1 AND id = $2
    """
)


async def only_move_on(tx: Writing, _world: World, conversation_id: str) -> None:
    """As a takeover, but what waits is left where it is, for the claim itself to refuse."""
    await tx.run(TAKE_OVER, WORKSPACE, conversation_id)


async def end(tx: Writing, world: World, conversation_id: str) -> None:
    """A caller ends the conversation."""
    await end_conversation(
        tx,
        workspace_id=WORKSPACE,
        conversation_id=conversation_id,
        reason=EndReason.CANCELLED,
        now=world.clock.now(),
        ids=world.ids,
    )


async def import_an_opt_out(tx: Writing, world: World, conversation_id: str) -> None:
    """Another system knows that the contact wants no more messages."""
    of = Query("SELECT t.contact_address FROM conversation v JOIN thread t ON t.id = v.thread_id WHERE v.id = $1")
    found = await tx.one(of, conversation_id)
    assert found is not None
    row = Row(
        address=found[0],
        channel="any",
        change=ConsentChange.OPT_OUT,
        purpose="",
        source="another system",
        evidence="",
    )
    answers = await record_consents(tx, WORKSPACE, [row], world.clock.now(), world.ids, "key 1")
    assert answers == [Taken.RECORDED]


@pytest.mark.promise("P23")
@pytest.mark.parametrize("silence", [take_over, only_move_on, end])
async def test_after_a_takeover_or_an_end_is_committed_the_agent_is_silent(
    database_url: str, silence: Silence, reached: Reached
) -> None:
    await _is_silent_after(silence, database_url, 23, reached)


@pytest.mark.promise("P22")
async def test_after_an_imported_opt_out_is_committed_nothing_leaves(database_url: str, reached: Reached) -> None:
    await _is_silent_after(import_an_opt_out, database_url, 2216, reached)


async def _is_silent_after(silence: Silence, database_url: str, seed: int, reached: Reached) -> None:
    left, flying = 0, 0
    async with processes(database_url, WORKERS) as worlds:
        world, dice = worlds[0], random.Random(seed)
        await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
        for batch in range((RACES + TOGETHER - 1) // TOGETHER):
            contacts = contacts_of(batch)
            race = Race(worlds, dice)
            await race.prepare(contacts)
            silencing = [
                functools.partial(race.silence, contact, silence, when_sending=n % 2 == 0)
                for n, contact in enumerate(contacts)
            ]
            await all_at_once(race.dice, *silencing, *working(race))
            await race.settle()
            sent = await race.sent()
            for contact in contacts:
                assert sent.get(contact, set()) <= race.allowed[contact], contact
                assert race.in_flight[contact] <= 1, contact
            left += sum(map(len, sent.values()))
            flying += sum(race.in_flight.values())
            await race.forget()
    assert left > RACES // 10, "the races were not close enough to be any"
    reached(f"{RACES} races: {left} messages had left before ({flying} of them at the provider), 0 after")
