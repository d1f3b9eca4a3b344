"""A restore sends nothing again: what the original sent after the backup is found at the provider, not repeated."""

import json
from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from overture.actions import reconcile_restored
from overture.actions.hand_over import HandOver, hand_over
from overture.adapters.clock import SystemClock
from overture.domain.agent import HandOverRules, Notify
from overture.domain.conversation import Mode
from overture.domain.delivery import DeliveryStatus
from overture.store.engine import stored
from tests.people import gives_back
from tests.scripted_twilio import Then
from tests.store.restoring import Roads, Safe, doubles
from tests.workers.test_outbox import claim
from tests.world import ADA, AGENT, BOB, BOOKER, OURS, WHATSAPP, WORKSPACE, World, add_sender


@pytest.fixture
def safe(world: World, database_url: str, tmp_path: Path) -> Safe:
    """A world that can be backed up; its clock shows the time that a restore will see."""
    world.clock.at = SystemClock().now()
    return Safe(world=world, url=database_url, file=tmp_path / "overture.backup")


async def states(world: World) -> Counter[str]:
    return Counter(await world.column("SELECT state FROM outbox"))


async def status_of(world: World, conversation_id: str) -> list[tuple[str | None, str | None]]:
    return [(line.status, line.reason) for line in await world.lines(conversation_id) if line.direction == "out"]


async def answers(world: World, texts: list[str], *, to: str = ADA) -> None:
    """Ada writes, each of her messages is on the provider's list too, and our side answers at once."""
    for text in texts:
        writes(world, text, by=to)
        await world.hears(text, by=to, sid=world.twilio.taken[-1]["sid"])
        await world.takes_turns()
        await world.sends()


def writes(world: World, text: str, *, by: str = ADA, to: str = OURS) -> str:
    """Ada's message stands in the provider's list; no webhook has come."""
    record = world.twilio.take({"To": to, "From": by, "Body": text})
    record |= {"direction": "inbound", "status": "received"}
    return str(record["sid"])


async def listens(world: World) -> None:
    """Webhooks have reached us: the account is one that is swept."""
    await world.change("UPDATE sender SET webhook_seen_at = $1", stored(world.clock.now()))


@pytest.mark.promise("P20")
async def test_a_thousand_messages_sent_after_the_backup_are_not_sent_again(safe: Safe) -> None:
    world = safe.world
    phones = [f"+1555020{n:04}" for n in range(1050)]
    early, queued, later = phones[:50], phones[50:350], phones[350:]
    await world.starts_all(*(world.asks(to_number=phone, text=f"Hello {phone}") for phone in early))
    await sends_all(world)
    await world.starts_all(*(world.asks(to_number=phone, text=f"Hello {phone}") for phone in queued))
    assert (await safe.backs_up()).unsettled == 300
    never = {f"Hello {phone}" for phone in queued[::10]}
    await world.change(
        "DELETE FROM outbox WHERE message_id IN (SELECT id FROM message WHERE body LIKE '%0\"}')"
    )  # what the original never came to
    await world.starts_all(*(world.asks(to_number=phone, text=f"Hello {phone}") for phone in later))
    await sends_all(world)
    sent = len(world.twilio.posts)
    assert sent - 50 == 300 - 30 + 700
    marked = await safe.comes_back()
    assert (marked.unsettled, marked.senders) == (300, 2)
    assert await states(world) == {"uncertain": 300}
    await Roads(world).run(minutes=4)
    await sends_all(world)
    assert doubles(world.twilio.posts) == {}
    assert await states(world) == {}
    assert {post["Body"] for post in world.twilio.posts[sent:]} == never
    assert await world.value("SELECT count(*) FROM message WHERE possible_duplicate") == 30
    assert await world.value("SELECT count(*) FROM message WHERE provider_sid IS NOT NULL") == 350


async def sends_all(world: World) -> None:
    while await world.value("SELECT count(*) FROM outbox WHERE state = 'queued'"):
        await world.sends()


@pytest.mark.promise("P20")
async def test_nothing_leaves_and_no_turn_is_taken_before_the_provider_was_asked(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await world.sends()
    await answers(world, ["Monday"])
    await world.hears("ten")
    await safe.backs_up()
    await safe.comes_back()
    roads, before = Roads(world), len(world.twilio.posts)
    await world.starts(to_number=BOB, text="Written after the restore")
    for _ in range(11):
        await roads.step()
        assert len(world.twilio.posts) == before
        assert (await world.conversation(an_id)).turns == 1
        world.clock.passes(seconds=10)
    await roads.run(minutes=1)
    assert sorted(world.twilio.said[-2:]) == ["See you on Monday at ten.", "Written after the restore"]
    assert await world.column("SELECT restored_from FROM sender WHERE restored_from IS NOT NULL") == []


@pytest.mark.promise("P20")
async def test_what_the_original_answered_after_the_backup_is_not_answered_again(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await world.sends()
    await world.hears("Monday")  # its turn is due when the backup is made
    await safe.backs_up()
    await world.takes_turns()
    await world.sends()
    await answers(world, ["ten"])
    said = list(world.twilio.said)
    assert said == ["Hello Ada", "Monday it is. At what time?", "ten", "See you on Monday at ten."]
    await safe.comes_back()
    await listens(world)
    await Roads(world).run()
    assert world.twilio.said == said
    conversation = await world.conversation(an_id)
    assert (conversation.mode, conversation.turn_due_at) == (Mode.HUMAN, None)
    assert await world.texts(an_id) == [
        *("Hello Ada", "> Monday", "> ten"),
        *("Monday it is. At what time?", "See you on Monday at ten."),
    ]
    [told] = await world.events("conversation.handed_over")
    assert '"reason":"restored"' in told[0]
    await world.is_told(world.twilio.taken[1], "delivered")
    assert (await world.lines(an_id))[3].status == DeliveryStatus.DELIVERED  # its SID is known again


async def test_people_are_told_of_what_a_restore_hands_over_and_reminded_of_it(safe: Safe) -> None:
    world = safe.world
    await world.saves(replace(BOOKER, hand_over=HandOverRules(notify=Notify(url="https://desk.example.com/"))))
    an_id = await goes_on_after_the_backup(safe)
    await safe.comes_back()
    await Roads(world).run()
    [[kind, where, body]] = await world.rows("SELECT kind, conversation_id, body FROM notice")
    assert (kind, where) == ("conversation.handed_over", an_id)
    assert json.loads(body)["data"]["note"] == reconcile_restored.NOTE
    world.clock.passes(minutes=16)
    await world.timers.look()
    kinds = await world.column("SELECT kind FROM notice ORDER BY id")
    assert kinds == ["conversation.handed_over", "conversation.unattended"]


async def test_a_conversation_that_cannot_be_read_goes_to_people_and_keeps_no_restore_waiting(safe: Safe) -> None:
    world = safe.world
    await world.saves(replace(BOOKER, hand_over=HandOverRules(notify=Notify(url="https://desk.example.com/"))))
    an_id = await goes_on_after_the_backup(safe)
    await safe.comes_back()
    await world.change("UPDATE conversation SET variables = 'not JSON'")
    await Roads(world).run()
    assert await world.value("SELECT count(*) FROM sender WHERE restored_from IS NOT NULL") == 0
    assert await world.column("SELECT mode FROM conversation") == [Mode.HUMAN]
    assert (await world.texts(an_id))[-1] == "Monday it is. At what time?"
    assert await world.column("SELECT conversation_id FROM notice") == [an_id]


async def goes_on_after_the_backup(safe: Safe) -> str:
    """A conversation in which the original answered what the backup shows as unanswered."""
    world = safe.world
    an_id = await world.starts()
    await world.sends()
    await world.hears("Monday")
    await safe.backs_up()
    await world.takes_turns()
    await world.sends()
    return an_id


@pytest.mark.promise("P20")
async def test_what_nobody_answered_is_answered_after_the_restore(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await world.sends()
    await safe.backs_up()
    writes(world, "Monday")  # while the original was lost
    await safe.comes_back()
    await listens(world)
    await Roads(world).run()
    assert await world.texts(an_id) == ["Hello Ada", "> Monday", "Monday it is. At what time?"]
    assert len(world.twilio.posts) == 2


@pytest.mark.promise("P20")
async def test_a_contact_whom_the_original_met_after_the_backup_is_not_answered_again(safe: Safe) -> None:
    """The sweep opens a conversation for what they wrote; what was answered is known by the provider's list alone."""
    world = safe.world
    world.clock.passes(minutes=-1)
    await add_sender(world, WHATSAPP, "+15551230009", inbound_agent_id=AGENT)
    world.clock.passes(minutes=1)
    await safe.backs_up()
    writes(world, "Hi", by=f"whatsapp:{BOB}", to="whatsapp:+15551230009")
    await world.hears("Hi", by=BOB, to="+15551230009", channel=WHATSAPP, sid=world.twilio.taken[-1]["sid"])
    await world.takes_turns()
    await world.sends()
    assert len(world.twilio.posts) == 1
    await safe.comes_back()
    await listens(world)
    await Roads(world).run()
    assert len(world.twilio.posts) == 1
    [conversation] = await world.live()
    assert conversation.mode is Mode.HUMAN


@pytest.mark.promise("P20")
async def test_a_stop_is_confirmed_once(safe: Safe) -> None:
    world = safe.world
    await world.is_heard_before(WHATSAPP)
    await world.starts(channel=WHATSAPP)
    await world.sends()
    await safe.backs_up()
    writes(world, "STOP", by=f"whatsapp:{ADA}", to=f"whatsapp:{OURS}")
    await world.hears("STOP", channel=WHATSAPP, sid=world.twilio.taken[-1]["sid"])
    await world.sends()
    posted = len(world.twilio.posts)
    assert posted == 2
    await safe.comes_back()
    await listens(world)
    await Roads(world).run()
    assert len(world.twilio.posts) == posted
    assert await world.value("SELECT count(*) FROM contact WHERE opted_out_at IS NOT NULL") == 1


@pytest.mark.promise("P20")
async def test_what_landed_late_is_waited_for_from_the_restore_on(safe: Safe) -> None:
    """The original may have died a moment before: the provider has its whole settle time to show what it took."""
    world = safe.world
    an_id = await world.starts()
    world.clock.passes(minutes=-30)
    await world.change("UPDATE outbox SET created_at = $1", stored(world.clock.now()))
    await safe.backs_up()
    await safe.comes_back()
    roads = Roads(world)
    for _ in range(11):
        await roads.step()
        world.clock.passes(seconds=10)
    assert await states(world) == {"uncertain": 1}
    world.twilio.take({"To": ADA, "From": OURS, "Body": "Hello Ada"})
    await roads.run(minutes=2)
    assert world.twilio.posts == []
    [line] = await world.lines(an_id)
    assert line.provider_sid == world.twilio.taken[0]["sid"]


@pytest.mark.promise("P20")
async def test_a_callback_of_the_original_settles_its_message(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await safe.backs_up()
    await world.sends()
    await safe.comes_back()
    await world.is_told(world.twilio.taken[0], "delivered")
    assert await states(world) == {}
    assert await status_of(world, an_id) == [("delivered", None)]


@pytest.mark.parametrize(
    ("before", "number", "resent"),
    [("queued", 1, False), ("sending", 1, False), ("uncertain", 1, False), ("queued again", 2, False)],
)
async def test_everything_on_its_way_becomes_uncertain(safe: Safe, before: str, number: int, resent: bool) -> None:
    world = safe.world
    await world.starts()
    if before == "uncertain":
        world.twilio.script.append(Then.RESET)
        await world.sends()
    elif before == "queued again":
        world.twilio.script.append(Then.RESET)
        await world.sends()
        for _ in range(5):
            world.clock.passes(seconds=31)
            await world.settles()
        assert await world.rows("SELECT state, resent FROM outbox") == [("queued", True)]
    elif before == "sending":
        assert len(await claim(world)) == 1
    await safe.backs_up()
    await safe.comes_back()
    rows = [tuple(row) for row in await world.rows("SELECT state, attempt, resent FROM outbox")]
    assert rows == [("uncertain", number, resent)]
    newest = await world.rows("SELECT number, state FROM attempt ORDER BY number DESC LIMIT 1")
    assert [tuple(row) for row in newest] == [(number, "uncertain")]


async def test_what_is_absent_and_expired_is_left_to_a_person(safe: Safe) -> None:
    world = safe.world
    await world.starts()
    await safe.backs_up()
    await safe.comes_back()
    world.clock.passes(hours=5)
    await Roads(world).run(minutes=4)
    assert await states(world) == {"needs_review": 1}
    assert world.twilio.posts == []


async def test_a_message_that_the_conversation_went_on_without_is_taken_back(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await safe.backs_up()
    await world.change("DELETE FROM outbox")  # the original could not send it, and said something else
    world.twilio.take({"To": ADA, "From": OURS, "Body": "Something else"})
    await safe.comes_back()
    await Roads(world).run()
    assert world.twilio.posts == []
    assert (await status_of(world, an_id))[0] == (DeliveryStatus.FAILED, "overtaken")
    assert (await world.conversation(an_id)).mode is Mode.HUMAN


async def test_a_list_that_cannot_be_read_keeps_everything_shut(safe: Safe) -> None:
    world = safe.world
    await world.starts()
    await safe.backs_up()
    await safe.comes_back()
    accounts = dict(world.client._accounts)
    world.client._accounts = {}
    await Roads(world).run()
    assert await world.value("SELECT count(*) FROM sender WHERE restored_from IS NOT NULL") == 2
    world.client._accounts = accounts
    await Roads(world).run()
    assert await world.value("SELECT count(*) FROM sender WHERE restored_from IS NOT NULL") == 0
    assert world.twilio.said == ["Hello Ada"]


async def test_timers_wait_until_what_came_meanwhile_is_known(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await world.sends()
    await world.change("UPDATE timer SET due_at = $1", stored(world.clock.now()))
    await safe.backs_up()
    await safe.comes_back()
    [due] = await world.column("SELECT due_at FROM timer")
    assert due > stored(world.clock.now())
    await world.timers.look()
    assert (await world.conversation(an_id)).mode is Mode.BOT


async def test_no_timer_is_lost_where_several_of_a_kind_rest_until_one_instant(safe: Safe) -> None:
    """The reminder of a hand-over rests beside that of an earlier one, which is stale: it is the one that fires."""
    world = safe.world
    await world.saves(replace(BOOKER, hand_over=HandOverRules(ack_within_seconds=60)))
    an_id = await world.starts()
    asked = HandOver(workspace_id=WORKSPACE, conversation_id=an_id, reason="asked", note="Wants a person.")
    for _ in range(3):
        await gives_back(world, an_id)
        await world.store.write(lambda tx: hand_over(tx, [asked], world.clock.now(), world.ids))
        world.clock.passes(seconds=1)
    await world.change("UPDATE timer SET due_at = due_at - 3600000000")
    epochs = "SELECT epoch FROM timer WHERE kind = 'unattended' ORDER BY due_at"
    before = await world.column(epochs)
    assert len(before) == 3
    await safe.backs_up()
    await safe.comes_back()
    assert await world.column(epochs) == before
    world.clock.passes(minutes=11)
    await world.timers.look()
    assert len(await world.events("conversation.unattended")) == 1


async def test_who_it_is_stays_the_same(safe: Safe) -> None:
    world = safe.world
    await world.change("INSERT INTO instance (id, callback_secret, created_at) VALUES ('it', 'secret', 1)")
    await world.change("INSERT INTO workspace (id, name, created_at) VALUES ($1, $1, 1)", WORKSPACE)
    await world.starts(idempotency_key="one")
    await safe.backs_up()
    await safe.comes_back()
    assert [tuple(row) for row in await world.rows("SELECT id, callback_secret FROM instance")] == [("it", "secret")]
    assert await world.column("SELECT key FROM idempotency") == ["one"]
    [told] = await world.events("database.restored")
    assert '"unsettled":1' in told[0]


@pytest.mark.promise("P20")
async def test_what_was_sent_is_found_behind_much_that_was_said_since(safe: Safe) -> None:
    world = safe.world
    an_id = await world.starts()
    await safe.backs_up()
    await world.sends()
    for n in range(250):
        world.twilio.take({"To": ADA, "From": OURS, "Body": f"Line {n}"})
    await safe.comes_back()
    await Roads(world).run()
    assert len(world.twilio.posts) == 1
    [first, *_] = await world.lines(an_id)
    assert first.provider_sid == world.twilio.taken[0]["sid"]
