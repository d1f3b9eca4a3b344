"""Two agents that meet stop talking: twenty answers in ten minutes at most, over all conversations of a pair."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, TypeAlias

import msgspec
import pytest

from overture.domain.agent import AgentSpec, Ask, FlowSpec, Node, PromptSpec
from overture.domain.conversation import Mode
from overture.domain.loop_guard import MOST_REPLIES, QUICK_ANSWERS
from overture.domain.turn import ModelAnswered, ModelRequest
from overture.store import turns
from tests.reaching import Reached
from tests.world import ADA, AGENT, OURS, WORKSPACE, World, a_world

THEIRS: Final = "+15551239999"  # the number of another house, with an agent of its own
TALKER: Final = PromptSpec(name="Talker", instructions="Talk.", max_turns=500)
BRIEF: Final = FlowSpec(
    name="Brief",
    nodes={
        "start": Node(say="What is it?", ask=Ask(slot="what"), goto="done"),
        "done": Node(say="It is written down.", end="completed"),
    },
)
MUSING: Final = "I have been wondering about the {word} for quite a while."


class Chatter:
    """A model that says the same with another word each time."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.said = 0

    async def complete(self, _request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """The text, with a word that it has not had."""
        assert timeout_seconds > 0
        self.said += 1
        return ModelAnswered(text=self.text.format(word="".join(chr(97 + int(digit)) for digit in str(self.said))))

    def endpoints(self) -> tuple[str, ...]:
        """The one endpoint."""
        return ("default",)


class Houses:
    """Two houses, and a line between them: what one sends reaches the other after some seconds."""

    def __init__(self, first: World, second: World) -> None:
        self.first = first
        self.second = second

    async def talk(self, *, seconds: float) -> dict[str, int]:
        """The first opens, and both go on as long as they like; how many messages each has sent."""
        await self.first.starts(to_number=THEIRS, text="Hello, is anybody there at this hour?")
        carried = {OURS: 0, THEIRS: 0}
        for _ in range(200):
            posts = [(world, await self._sent(world, carried)) for world in (self.first, self.second)]
            if not any(new for _, new in posts):
                return carried
            for world in (self.first, self.second):
                world.clock.passes(seconds=seconds)
            for world, new in posts:
                other = self.second if world is self.first else self.first
                for post in new:
                    await other.hears(post["Body"], by=post["From"], to=post["To"])
                await other.takes_turns()
        raise AssertionError("they talk for ever")

    async def _sent(self, world: World, carried: dict[str, int]) -> list[dict[str, str]]:
        await world.sends(2)
        number = OURS if world is self.first else THEIRS
        new = world.twilio.posts[carried[number] :]
        carried[number] += len(new)
        return new


MakeHouses: TypeAlias = Callable[[AgentSpec, str], AbstractAsyncContextManager[Houses]]


@pytest.fixture
def two_houses(database_url: str, tmp_path: Path) -> MakeHouses:
    @asynccontextmanager
    async def make(spec: AgentSpec, text: str) -> AsyncIterator[Houses]:
        async with (
            a_world(database_url, model=Chatter(text)) as first,
            a_world(f"sqlite:///{tmp_path / 'second.db'}", model=Chatter(text)) as second,
        ):
            for world, number in ((first, OURS), (second, THEIRS)):
                await world.saves(spec)
                await world.change("UPDATE sender SET address = $1, inbound_agent_id = $2", number, AGENT)
            yield Houses(first, second)

    return make


@pytest.mark.promise("P26")
@pytest.mark.parametrize(
    ("text", "seconds", "most"),
    [
        (MUSING, 1, QUICK_ANSWERS),
        ("Well, {word}.", 1, MOST_REPLIES),  # too short for a sentence
        (MUSING, 8, MOST_REPLIES),  # slow enough for a person
    ],
)
async def test_two_agents_stop(two_houses: MakeHouses, text: str, seconds: float, most: int, reached: Reached) -> None:
    async with two_houses(TALKER, text) as houses:
        sent = await houses.talk(seconds=seconds)
        assert 3 < sent[THEIRS] <= most, sent
        assert 3 < sent[OURS] <= most + 1, sent  # the opening is no answer
        paused = [
            json for world in (houses.first, houses.second) for json, _ in await world.events("conversation.paused")
        ]
        assert {msgspec.json.decode(json)["reason"] for json in paused} == {"loop"}
        reached(f"two agents that answer after {seconds} s: {max(sent.values())} messages of one, then silence")


@pytest.mark.promise("P26")
async def test_agents_that_end_each_time_stop_as_well(two_houses: MakeHouses) -> None:
    async with two_houses(BRIEF, "") as houses:
        sent = await houses.talk(seconds=7)
        assert MOST_REPLIES <= max(sent.values()) <= MOST_REPLIES + 1, sent


async def test_a_person_who_answers_quickly_is_answered(world: World) -> None:
    an_id = await world.starts()
    for text in ("Monday", "10"):
        await world.sends()
        world.clock.passes(seconds=1)
        await world.hears(text, by=ADA)
        await world.takes_turns()
    assert (await world.conversation(an_id)).mode is Mode.ENDED


async def test_what_is_written_to_a_paused_conversation_waits_for_a_person(two_houses: MakeHouses) -> None:
    async with two_houses(TALKER, MUSING) as houses:
        await houses.talk(seconds=1)
        first_paused = await houses.first.events("conversation.paused")
        world = houses.first if first_paused else houses.second
        [paused] = await world.live()
        turn = (await world.store.read(lambda tx: turns.list_of_conversation(tx, WORKSPACE, paused.id)))[-1]
        assert (turn.outcome, turn.note) == ("silent", paused.mode_note)
        posts = len(world.twilio.posts)
        world.clock.passes(hours=1)
        numbers = (OURS, THEIRS) if world is houses.first else (THEIRS, OURS)
        await world.hears("Hello?", to=numbers[0], by=numbers[1])
        await world.takes_turns()
        await world.sends()
        assert len(world.twilio.posts) == posts
        assert (await world.texts(paused.id))[-1] == "> Hello?"
