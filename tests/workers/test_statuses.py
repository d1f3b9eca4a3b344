"""What the provider reports of messages: late, twice and in any order, it comes to the same."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overture.actions.record_outcome import Outcome, record_outcomes
from overture.domain.agent import EndReason
from overture.domain.delivery import DeliveryStatus
from tests.workers.test_inbox import outcomes
from tests.workers.test_outbox import claim
from tests.world import WHATSAPP, World

HISTORIES = [
    ["queued", "sending", "sent", "delivered", "read"],
    ["sent", "undelivered"],
    ["failed"],
    ["queued", "sent", "delivered", "undelivered"],
]


@pytest.mark.promise("P5")
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
async def test_shuffled_and_repeated_statuses_come_to_the_same(sqlite_world: World, data: st.DataObject) -> None:
    world = sqlite_world
    history = data.draw(st.sampled_from(HISTORIES))
    told = data.draw(st.permutations(history + data.draw(st.lists(st.sampled_from(history), max_size=4))))
    finals: list[tuple[object, ...]] = []
    for order in (history, told):
        an_id = await world.starts(text=f"{len(finals)} {await world.value('SELECT count(*) FROM message')}")
        await world.sends()
        for status in order:
            code = 30005 if status in ("undelivered", "failed") else None
            await world.is_told(world.twilio.taken[-1], status, code=code)
        [line] = await world.lines(an_id)
        finals.append((line.status, line.error_code, line.reason, line.possible_duplicate))
    assert finals[0] == finals[1]
    assert await world.value("SELECT count(*) FROM outbox") == 0


async def test_a_status_may_come_before_the_answer_that_names_the_message(world: World) -> None:
    an_id = await world.starts()
    [claimed] = await claim(world)
    accepted = await world.client.send(claimed)
    await world.is_told(world.twilio.taken[0], "sent", "delivered")
    late = Outcome(message_id=claimed.message_id, attempt=1, result=accepted)
    await world.store.write(lambda tx: record_outcomes(tx, [late], world.clock.now(), world.ids))
    [line] = await world.lines(an_id)
    assert (line.status, line.provider_sid) == (DeliveryStatus.DELIVERED, accepted.sid)
    assert await world.column("SELECT status FROM attempt") == ["delivered"]


async def test_a_status_of_an_unknown_message_changes_nothing(world: World) -> None:
    unknown = {"sid": "SM" + "e" * 32, "callback": "https://overture.example/x?m=none&a=1&v=forged"}
    before = await world.counts()
    await world.is_told(unknown, "delivered")
    assert await outcomes(world) == [("done", "unknown message")]
    assert await world.counts() == {**before, "inbox": 1}


async def test_a_failed_delivery_says_why(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], "undelivered", code=30005)
    [line] = await world.lines(an_id)
    assert (line.status, line.error_code, line.reason) == (DeliveryStatus.UNDELIVERED, 30005, "twilio_30005")


async def test_a_window_that_the_provider_says_is_closed_is_closed(world: World) -> None:
    await world.hears("hi", channel=WHATSAPP)
    world.clock.passes(minutes=1)
    await world.starts(channel=WHATSAPP)
    await world.sends()
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    refused: Any = await world.answers(channel=WHATSAPP, text="And now?")
    assert refused.code == "window_closed"


async def test_unless_the_contact_wrote_since(world: World) -> None:
    await world.hears("hi", channel=WHATSAPP)
    await world.starts(channel=WHATSAPP)
    await world.sends()
    world.clock.passes(minutes=1)
    await world.hears("I am here", channel=WHATSAPP)
    await world.is_told(world.twilio.taken[0], "undelivered", code=63016)
    await world.starts(channel=WHATSAPP, text="And now?")


async def test_an_opt_out_that_is_told_by_a_callback_is_an_opt_out(world: World) -> None:
    an_id = await world.starts()
    await world.sends()
    await world.is_told(world.twilio.taken[0], "failed", code=21610)
    assert (await world.conversation(an_id)).end_reason is EndReason.OPT_OUT
