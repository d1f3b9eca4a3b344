"""Never silent: whatever a model does, in whatever order, a contact's line ends in words or with a person in time.

The clock stands still but for what a model lets pass, so two minutes are two minutes however slow the machine is.
"""

import itertools
import random
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import pytest

from overture.domain.agent import PromptSpec
from overture.domain.conversation import Mode
from overture.domain.errors import Permanent, Transient
from overture.domain.turn import ModelAnswered, ModelRequest
from tests.reaching import Reached
from tests.sizes import size
from tests.world import StillClock, World, a_world

PROMPT: Final = PromptSpec(name="Helper", instructions="Help.", greeting="Hi!", fallback="A colleague will write.")
WAYS: Final = (
    *("answers", "hangs", "drips", "is busy", "is busy for an hour", "refuses", "says nothing", "says too much"),
    *("says what is no text", "breaks", "takes the worker with it"),
)
PLANS: Final = list(itertools.product(WAYS, repeat=3))
TRIED: Final = size(small=20, full=400)  # of 1,331; pauses between requests are real ones
IN_TIME: Final = timedelta(seconds=120)


class Moody:
    """A model that behaves as a plan says, one way a request, and answers once the plan is through."""

    def __init__(self) -> None:
        self.clock = StillClock()
        self.plan: list[str] = []

    async def complete(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered:
        """Behave."""
        assert request.lines
        way = self.plan.pop(0) if self.plan else "answers"
        match way:
            case "hangs" | "drips":
                self.clock.passes(seconds=timeout_seconds if way == "hangs" else min(15, timeout_seconds))
                if way == "hangs":
                    raise Transient("model_silent", "It hung.", retry_after_seconds=0)
            case "is busy":
                raise Transient("model_busy", "429", retry_after_seconds=0)
            case "is busy for an hour":
                raise Transient("model_busy", "429", retry_after_seconds=3600)
            case "refuses":
                raise Permanent("model_refused", "400")
            case "breaks" | "takes the worker with it":
                raise RuntimeError(way)
        texts = {
            "says nothing": " \n",
            "says too much": "Much. " * 5000,
            "says what is no text": "\0\ud83d{{x}} \x1b[0m",
        }
        return ModelAnswered(text=texts.get(way, "We open at nine."))

    def endpoints(self) -> Sequence[str]:
        """One endpoint."""
        return ("default",)


async def has_ended(world: World, an_id: str) -> str | None:
    """How a contact's last line ended, None while it has not."""
    conversation = await world.conversation(an_id)
    lines = await world.lines(an_id)
    if lines[-1].direction == "out" and lines[-1].text.strip():
        return "a hand-over with words" if conversation.mode is Mode.HUMAN else "a reply"
    if conversation.mode is not Mode.BOT:
        return "an alert"
    return None


@pytest.mark.promise("P16")
async def test_whatever_a_model_does_a_line_ends_in_words_or_with_a_person_within_two_minutes(
    database_url: str, reached: Reached
) -> None:
    dice, model, longest, ends = random.Random(16), Moody(), timedelta(), set()
    async with a_world(database_url, model=model) as world:
        model.clock = world.clock
        await world.saves(PROMPT)
        for n, plan in enumerate(dice.sample(PLANS, TRIED)):
            contact = f"+1555{n + 4_000_000:07}"
            an_id = await world.starts(to_number=contact)
            model.plan = list(plan)
            await world.hears("When do you open?", by=contact)
            received, end = world.clock.now(), None
            while (end := await has_ended(world, an_id)) is None:
                assert world.clock.now() - received <= IN_TIME, plan
                await world.takes_turns()
                if await has_ended(world, an_id) is None:
                    world.clock.passes(seconds=1)
            ends.add(end)
            longest = max(longest, world.clock.now() - received)
    assert longest <= IN_TIME
    reached(f"{TRIED} moods of a model ended in {' or '.join(sorted(ends))}, after {longest.seconds} s at most")
