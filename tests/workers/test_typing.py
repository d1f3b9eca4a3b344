"""That an answer is being written is shown on WhatsApp from the claim of a turn, and never at a turn's expense."""

import asyncio

from overture.domain.errors import Transient
from overture.workers.turns import TurnRoad
from overture.workers.typing import Typing
from tests.world import ACCOUNT, WHATSAPP, World


class Shown:
    """A Typist that notes what it was asked, and does as it is told."""

    def __init__(self, *, fails: bool = False, hangs: bool = False) -> None:
        self.asked: list[tuple[str, str]] = []
        self._fails = fails
        self._hangs = hangs

    async def show_typing(self, account_sid: str, sid: str) -> None:
        """Note it."""
        self.asked.append((account_sid, sid))
        if self._hangs:
            await asyncio.Event().wait()
        if self._fails:
            raise Transient("twilio_no_answer", "The provider did not answer.")


def with_typing(world: World, shown: Shown) -> None:
    world.turns = TurnRoad(
        store=world.store, model=world.model, ids=world.ids, signals=world.signals, typing=Typing(shown)
    )


async def test_it_is_shown_for_the_message_that_is_answered(world: World) -> None:
    shown = Shown()
    with_typing(world, shown)
    await world.is_heard_before(WHATSAPP)
    an_id = await world.starts(channel=WHATSAPP)
    await world.takes_turns()
    assert shown.asked == []
    await world.hears("Monday", channel=WHATSAPP)
    await world.takes_turns()
    sids = [line.provider_sid for line in await world.lines(an_id) if line.direction == "in"]
    assert shown.asked == [(ACCOUNT, sids[-1])]


async def test_it_is_not_shown_on_sms(world: World) -> None:
    shown = Shown()
    with_typing(world, shown)
    await world.starts()
    await world.hears("Monday")
    await world.takes_turns()
    assert shown.asked == []


async def test_an_answer_waits_for_it_as_little_as_it_fails_with_it(world: World) -> None:
    for shown in (Shown(fails=True), Shown(hangs=True)):
        with_typing(world, shown)
        await world.is_heard_before(WHATSAPP)
        an_id = await world.starts(channel=WHATSAPP)
        await world.hears("Monday", channel=WHATSAPP)
        await asyncio.wait_for(world.takes_turns(), 5)
        assert len(shown.asked) == 1
        assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
