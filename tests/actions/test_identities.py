"""A contact is an address with aliases: whoever writes by whichever of them has one thread, one window, one word."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from overture.actions.link_address import link_address
from overture.adapters.twilio import reading
from overture.domain.agent import EndReason
from overture.domain.conversation import Mode
from overture.store import identities
from overture.store.engine import stored
from tests.scripted_twilio import Then
from tests.world import ADA, BOB, NOON, WHATSAPP, WORKSPACE, World, a_world, add_sender

ADAS = "US.13491208655302741918"
BOBS = "US.2"
NEW_NUMBER = "+15550100009"


def whatsapp(by: str, bsuid: str | None = None, **given: str) -> dict[str, Any]:
    """A WhatsApp message, from the address that is shown, with the BSUID beside it."""
    told = {} if bsuid is None else {"ExternalUserId": f"whatsapp:{bsuid}"}
    return {"channel": WHATSAPP, "by": by, **told, **given}


@pytest.fixture
async def open_world(world: World) -> World:
    """A world in which every sender has an agent for whoever writes."""
    await world.change("UPDATE sender SET inbound_agent_id = 'booker'")
    return world


async def people(world: World) -> list[list[str]]:
    """Everybody's addresses, the first one in front, the oldest contact first."""
    keys = await world.column("SELECT address FROM contact WHERE alias_of IS NULL ORDER BY id")
    asked = [(WORKSPACE, key) for key in keys]
    found = await world.store.read(lambda tx: identities.find_by_addresses(tx, asked))
    return [[address.key for address in found[one].person.addresses] for one in asked]


async def threads(world: World) -> list[tuple[str, bool]]:
    """The form that each thread in use is written to in, and whether its window has been opened."""
    rows = await world.rows(
        "SELECT contact_address, last_inbound_at FROM thread WHERE merged_into IS NULL ORDER BY created_at, id"
    )
    return [(row[0], row[1] is not None) for row in rows]


@pytest.mark.parametrize(
    ("first", "second", "known_by"),
    [
        (whatsapp(ADA, ADAS), whatsapp(ADAS, ADAS), [ADA, ADAS]),  # hides the number later
        (whatsapp(ADAS, ADAS), whatsapp(ADA, ADAS), [ADAS, ADA]),  # shows the number later
        (whatsapp(ADA), whatsapp(ADA, ADAS), [ADA, ADAS]),  # is given a BSUID later
        (whatsapp(ADA, ADAS), whatsapp(ADA), [ADA, ADAS]),
        (whatsapp(ADAS, ADA), whatsapp(ADA), [ADAS, ADA]),
        (whatsapp(ADA, ADAS), whatsapp(NEW_NUMBER, ADAS), [ADA, ADAS, NEW_NUMBER]),  # has a new number
        (whatsapp("+5215512345678", "MX.1"), whatsapp("+525512345678", "MX.1"), ["+525512345678", "MX.1"]),
        (whatsapp("+556299998888", "BR.1"), whatsapp("BR.1"), ["+5562999998888", "BR.1"]),
    ],
)
async def test_one_person_has_one_conversation_whichever_address_writes(
    open_world: World, first: dict[str, str], second: dict[str, str], known_by: list[str]
) -> None:
    world = open_world
    await world.hears("hello", **first)
    world.clock.passes(minutes=1)
    await world.hears("it is me", **second)
    assert [set(one) for one in await people(world)] == [set(known_by)]
    assert (await people(world))[0][0] == known_by[0]
    [live] = await world.live()
    assert await world.texts(live.id) == ["> hello", "> it is me"]
    assert await threads(world) == [(second["by"], True)]  # the form that last wrote is the one we write to


async def test_we_answer_a_bsuid_at_the_bsuid(open_world: World) -> None:
    world = open_world
    await world.hears("Monday", **whatsapp(ADAS, ADAS))
    await world.takes_turns()
    await world.sends()
    assert [message["to"] for message in world.twilio.taken] == [f"whatsapp:{ADAS}"]


async def test_a_call_to_the_number_reaches_the_thread_of_the_bsuid(open_world: World) -> None:
    world = open_world
    await world.hears("hello", **whatsapp(ADA, ADAS))
    await world.hears("hello again", **whatsapp(ADAS, ADAS))
    an_id = await world.starts(channel=WHATSAPP, to_number=ADA)
    await world.sends()
    assert [message["to"] for message in world.twilio.taken] == [f"whatsapp:{ADAS}"]
    assert [one.id for one in await world.live()] == [an_id]


async def test_two_who_turn_out_to_be_one_keep_the_older_conversation(open_world: World) -> None:
    world = open_world
    await world.hears("as a number", **whatsapp(ADA))
    world.clock.passes(minutes=1)
    await world.hears("as an id", **whatsapp(ADAS))
    older, newer = await world.live()
    world.clock.passes(minutes=1)
    await world.hears("both are me", **whatsapp(ADAS, ADA))
    assert await people(world) == [[ADA, ADAS]]
    assert [one.id for one in await world.live()] == [older.id]
    assert await world.texts(older.id) == ["> as a number", "> both are me"]
    assert await world.texts(newer.id) == ["> as an id"]
    ended = await world.conversation(newer.id)
    assert (ended.mode, ended.end_reason) == (Mode.ENDED, EndReason.SUPERSEDED)
    assert await threads(world) == [(ADAS, True)]
    assert len(await world.events("contact.merged")) == 1
    await world.takes_turns()
    await world.sends(2)
    assert [message["to"] for message in world.twilio.taken] == [f"whatsapp:{ADAS}"]


async def test_what_a_person_has_in_hand_is_kept_before_an_agents(open_world: World) -> None:
    world = open_world
    await world.hears("as a number", **whatsapp(ADA))
    world.clock.passes(minutes=1)
    await world.hears("as an id", **whatsapp(ADAS))
    agents, persons = await world.live()
    await world.change("UPDATE conversation SET mode = 'human', epoch = epoch + 1 WHERE id = $1", persons.id)
    await world.hears("both are me", **whatsapp(ADA, ADAS))
    assert [(one.id, one.mode) for one in await world.live()] == [(persons.id, Mode.HUMAN)]
    assert await world.texts(persons.id) == ["> as an id", "> both are me"]
    assert persons.shard != agents.shard  # each keeps the shard it began with
    assert await world.column("SELECT shard FROM thread WHERE merged_into IS NULL") == [persons.shard]


async def test_what_waits_in_the_conversation_that_gives_way_is_taken_back(world: World) -> None:
    kept = await world.starts(to_number=ADA)
    world.clock.passes(minutes=1)
    await world.is_heard_before(WHATSAPP, ADAS)
    taken_back = await world.starts(to_number=BOB)
    await link(world, ADA, BOB)
    assert [one.id for one in await world.live()] == [kept]
    [line] = await world.lines(taken_back)
    assert (line.status, line.reason) == ("failed", "cancelled")
    await world.sends(2)
    assert world.twilio.said == ["Hello Ada"]
    assert [message["to"] for message in world.twilio.taken] == [ADA]


async def link(world: World, one: str, other: str) -> None:
    """Somebody says that two addresses are one person's."""
    known = await world.store.read(lambda tx: identities.find_by_addresses(tx, [(WORKSPACE, one)]))
    await world.store.write(
        lambda tx: link_address(
            tx,
            workspace_id=WORKSPACE,
            contact_id=known[WORKSPACE, one].id,
            address=other,
            now=world.clock.now(),
            ids=world.ids,
        )
    )


async def test_threads_with_other_senders_come_along(open_world: World) -> None:
    world = open_world
    await world.hears("over SMS", by=ADA)
    world.clock.passes(minutes=1)
    await world.hears("over WhatsApp", **whatsapp(ADAS))
    await world.hears("both are me", **whatsapp(ADAS, ADA))
    assert await people(world) == [[ADA, ADAS]]
    assert await threads(world) == [(ADA, True), (ADAS, True)]
    assert len(await world.live()) == 2  # one with each sender
    await world.hears("STOP", by=ADA, OptOutType="STOP")
    assert await world.live() == []
    assert await world.value("SELECT count(*) FROM contact WHERE opted_out_at IS NOT NULL") == 1


@pytest.mark.parametrize("stops", [ADA, ADAS])
async def test_an_opt_out_of_either_holds_for_both(open_world: World, stops: str) -> None:
    world = open_world
    for by in (ADA, ADAS):
        await world.hears("hello", **whatsapp(by))
        world.clock.passes(minutes=1)
    await world.hears("STOP", **whatsapp(stops))
    await world.hears("it is me", **whatsapp(ADA, ADAS))
    assert await people(world) == [[ADA, ADAS]]
    assert await world.column("SELECT opted_out_at FROM contact WHERE alias_of IS NULL") == [stored(world.clock.now())]
    assert await world.live() == []
    [contact] = await world.column("SELECT id FROM contact WHERE alias_of IS NULL")
    assert set(await world.column("SELECT contact_id FROM consent")) == {contact}
    assert (await world.answers(to_number=ADA, channel=WHATSAPP)).code == "recipient_opted_out"  # type: ignore[union-attr]


async def test_who_opted_in_again_after_it_has_opted_in_for_both(open_world: World) -> None:
    world = open_world
    for said, by in (("STOP", ADA), ("STOP", ADAS), ("START", ADAS)):
        world.clock.passes(minutes=1)
        await world.hears(said, **whatsapp(by))
    await world.hears("it is me", **whatsapp(ADA, ADAS))
    assert await world.column("SELECT opted_out_at FROM contact") == [None, None]
    changes = await world.column("SELECT change FROM consent ORDER BY id")
    assert changes == ["opt_out", "opt_out", "opt_in", "opt_in"]


async def test_a_number_that_somebody_else_has_now_is_theirs(open_world: World) -> None:
    world = open_world
    await world.hears("I am Ada", **whatsapp(ADA, ADAS))
    [adas] = await world.live()
    world.clock.passes(days=1)
    await world.hears("I am Bob", **whatsapp(ADA, BOBS))
    assert await people(world) == [[ADAS], [ADA, BOBS]]
    [bobs] = await world.live()
    assert await world.texts(bobs.id) == ["> I am Bob"]
    assert (bobs.previous_conversation_id, bobs.variables) == (None, {})
    assert (await world.conversation(adas.id)).end_reason is EndReason.SUPERSEDED
    assert await threads(world) == [(ADAS, False), (ADA, True)]
    assert len(await world.events("contact.parted")) == 1
    await world.hears("I am Ada, from my new number", **whatsapp(NEW_NUMBER, ADAS))
    assert await people(world) == [[ADAS, NEW_NUMBER], [ADA, BOBS]]
    assert [set(await world.texts(one.id)) for one in await world.live()] == [
        {"> I am Bob"},
        {"> I am Ada, from my new number"},
    ]


async def test_what_was_written_before_a_number_passed_on_is_its_former_owners(open_world: World) -> None:
    world = open_world
    await world.hears("I am Ada", **whatsapp(ADA, ADAS))
    late = world.written("still Ada", **whatsapp(ADA, ADAS))
    world.clock.passes(minutes=10)
    await world.hears("I am Bob", **whatsapp(ADA, BOBS))
    await world.keeps(late)
    await world.change("UPDATE inbox SET received_at = $1 WHERE due_at IS NOT NULL", stored(NOON))
    await world.handles()
    assert await people(world) == [[ADAS], [ADA, BOBS]]
    texts = [await world.texts(one.id) for one in await world.live()]
    assert ["> I am Bob"] in texts
    assert await threads(world) == [(ADAS, True), (ADA, True)]


async def test_an_opt_out_stays_with_the_number_that_passes_on(open_world: World) -> None:
    world = open_world
    await world.hears("STOP", **whatsapp(ADA, ADAS))
    await world.hears("I am Bob", **whatsapp(ADA, BOBS))
    assert await people(world) == [[ADAS], [ADA, BOBS]]
    assert await world.value("SELECT count(*) FROM contact WHERE opted_out_at IS NOT NULL") == 2
    assert sorted(await world.column("SELECT source FROM consent")) == ["contact", "parted"]


async def test_another_sender_may_know_a_person_by_another_id(open_world: World) -> None:
    world = open_world
    await add_sender(world, WHATSAPP, "+15557770000", inbound_agent_id="booker")
    await world.hears("hello", **whatsapp(ADA, ADAS))
    await world.hears("hello", **whatsapp(ADA, "US.ENT.77", to="+15557770000"))
    assert [set(one) for one in await people(world)] == [{ADA, ADAS, "US.ENT.77"}]


@pytest.mark.parametrize(
    "told",
    [
        *("", "whatsapp:", ADAS, f"WhatsApp:{ADAS}", "whatsapp:us.1", "whatsapp:US.", "whatsapp:US.a b", "whatsapp:\0"),
        *(f"whatsapp:{ADA}", "whatsapp:US." + "1" * 129, "whatsapp:US.1\r\nX: y", "' OR 1=1 --", "x" * 9000, "\u202e"),
    ],
)
async def test_an_id_that_makes_no_sense_is_left_alone_and_the_message_heard(open_world: World, told: str) -> None:
    await open_world.hears("hello", channel=WHATSAPP, by=ADA, ExternalUserId=told)
    assert await people(open_world) == [[ADA]]
    assert len(await open_world.live()) == 1


async def test_an_id_beside_an_sms_tells_nothing(open_world: World) -> None:
    await open_world.hears("hello", by=ADA, ExternalUserId=f"whatsapp:{ADAS}")
    assert await people(open_world) == [[ADA]]


def test_an_id_that_stands_twice_is_refused() -> None:
    with pytest.raises(Exception, match="twice"):
        reading.refuse_repeated([("ExternalUserId", "a"), ("ExternalUserId", "b")])


async def test_the_same_webhooks_together_twice_and_in_any_order_are_one_contact(open_world: World) -> None:
    world = open_world
    events = [
        world.written(f"{n}", **given)
        for n, given in enumerate(
            [whatsapp(ADAS), whatsapp(ADA), whatsapp(ADA, ADAS), whatsapp(ADAS, ADA), whatsapp(ADA), whatsapp(ADAS)]
        )
    ]
    await world.keeps(*events, *events[::-1])
    await world.handles()
    await world.keeps(*events)
    await world.handles()
    assert [set(one) for one in await people(world)] == [{ADA, ADAS}]
    [live] = await world.live()
    said = [text for one in await world.column("SELECT id FROM conversation") for text in await world.texts(one)]
    assert sorted(said) == [f"> {n}" for n in range(6)]
    assert live.shard


async def test_calls_to_two_forms_of_one_person_that_arrive_together_open_one_conversation(world: World) -> None:
    await world.hears("hello", by=ADA)
    await link(world, ADA, BOB)
    answers = await world.starts_all(
        world.asks(to_number=ADA, digest="1"), world.asks(to_number=BOB, digest="2"), world.asks(to_number=ADA)
    )
    assert len(answers) == 3
    assert len(await world.live()) == 1


async def test_an_uncertain_message_is_looked_for_at_the_address_it_went_to(open_world: World) -> None:
    """The contact wrote from another form since: the provider lists the message under the one it was sent to."""
    world = open_world
    await world.hears("Monday", **whatsapp(ADA, ADAS))
    await world.takes_turns()
    world.twilio.script.append(Then.TAKE_AND_RESET)
    await world.sends()
    await world.hears("from now on without a number", **whatsapp(ADAS, ADAS))
    assert await threads(world) == [(ADAS, True)]
    for _ in range(3):
        world.clock.passes(minutes=2)
        await world.settles()
    assert len(world.twilio.taken) == 1
    assert await world.column("SELECT state FROM attempt") == ["accepted"]


async def test_processes_that_hear_one_person_at_once_make_one_contact(postgresql_url: str) -> None:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(a_world(postgresql_url))
        await world.change("UPDATE sender SET inbound_agent_id = 'booker'")
        others = [await stack.enter_async_context(a_world(postgresql_url, furnish=False)) for _ in range(2)]
        for n in range(4):
            number, bsuid = f"+1555010{n:04d}", f"US.{n}"
            forms = [whatsapp(number), whatsapp(bsuid), whatsapp(number, bsuid), whatsapp(bsuid, number)]
            await world.keeps(*[world.written(f"{m}", **form) for m, form in enumerate(forms * 2)])
            await asyncio.gather(*(one.handles() for one in (world, *others)))
            await world.handles()
        assert await world.value("SELECT count(*) FROM inbox WHERE state <> 'done'") == 0
        found = {frozenset(one) for one in await people(world)}
        assert found == {frozenset((f"+1555010{n:04d}", f"US.{n}")) for n in range(4)}
        assert len(await world.live()) == 4
        assert await world.value("SELECT count(*) FROM message") == 32


async def test_what_opens_while_two_become_one_never_forks(postgresql_url: str) -> None:
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(a_world(postgresql_url))
        other = await stack.enter_async_context(a_world(postgresql_url, furnish=False))
        for n in range(8):
            one, two = f"+1555011{n:04d}", f"+1555012{n:04d}"
            await world.starts(to_number=one)
            if n % 2:
                await world.starts(to_number=two)
                world.clock.passes(minutes=2)
            await asyncio.gather(
                link(world, one, two),
                other.answers(to_number=two, digest=f"two {n}"),
                other.answers(to_number=one, digest=f"one {n}"),
                world.hears("hello", by=two),
            )
        live = "FROM conversation v JOIN thread t ON t.id = v.thread_id WHERE v.mode <> 'ended'"
        assert await world.value(f"SELECT count(*) {live}") == 8
        assert await world.value(f"SELECT count(DISTINCT t.contact_id) {live} AND t.merged_into IS NULL") == 8
        assert await world.value("SELECT count(*) FROM contact WHERE alias_of IS NULL") == 8


async def test_an_opt_out_is_confirmed_where_the_last_conversation_was_the_others(open_world: World) -> None:
    """It keeps the shard it began with, and what leaves for it finds the thread that is kept."""
    world = open_world
    await world.hears("hello", by=BOB)
    world.clock.passes(minutes=1)
    last = await world.starts(to_number=ADA)
    await world.sends(2)
    ended = "UPDATE conversation SET mode = 'ended', end_reason = 'completed', ended_at = $1"
    await world.change(ended, stored(world.clock.now()))
    await link(world, BOB, ADA)
    assert await threads(world) == [(BOB, True)]
    await world.hears("please stop texting me", by=BOB)
    assert (await world.texts(last))[-2] == "> please stop texting me"
    world.clock.passes(minutes=1)
    await world.sends(2)
    assert await world.value("SELECT count(*) FROM outbox") == 0
    assert world.twilio.taken[-1]["to"] == BOB
