"""Caps that count each contact apart: counted in the contact's row, whoever it turns out to be."""

import json

import msgspec
import pytest

from overture.actions.link_address import link_address
from overture.domain.rules import Cap, Measure, Per, Rules
from overture.store.migrate import all_migrations
from overture.store.statement import for_postgresql, for_sqlite
from tests.actions.test_caps import DAY, HOUR, cap, caps_are, fail, refused
from tests.world import ADA, BOB, BOOKER, SMS, WORKSPACE, World, add_sender

OTHER = "+15550109999"


async def counted(world: World, address: str = ADA) -> dict[str, list[list[int]]]:
    text = await world.value(f"SELECT counted FROM contact WHERE address = '{address}'")
    return {} if text is None else dict(json.loads(text))


async def amounts(world: World, address: str = ADA) -> list[int]:
    return [sum(amount for _, amount in buckets) for _, buckets in sorted((await counted(world, address)).items())]


async def test_it_counts_who_is_new_and_who_is_known_alike(world: World) -> None:
    await caps_are(world, cap(2, per=Per.CONTACT))
    for text in ("one", "two"):
        await world.starts(text=text)
        await world.sends()  # what never left would be given back by the next
    said = refused(await world.answers(text="three"))
    assert str(said) == "The workspace's cap of 2 messages to one contact in 1 day is reached: 2 of 2 messages is used."
    assert await amounts(world) == [2]
    await world.starts(to_number=BOB)
    assert await world.value("SELECT count(*) FROM cap") == 0


async def test_who_is_new_is_refused_where_the_cap_allows_nothing(world: World) -> None:
    await caps_are(world, cap(1, count=Measure.SEGMENTS, per=Per.CONTACT))
    refused(await world.answers(text="x" * 200))
    assert await world.value("SELECT count(*) FROM contact") == 0
    await world.starts()


async def test_many_at_once_are_counted_each_for_itself(world: World) -> None:
    await caps_are(world, cap(9), cap(1, per=Per.CONTACT))
    numbers = [f"+1555010040{n}" for n in range(4)]
    await world.starts_all(*(world.asks(to_number=number) for number in numbers))
    for number in numbers:
        assert await amounts(world, number) == [1]
        refused(await world.answers(to_number=number, text="again"))


async def test_what_never_left_is_given_back_to_its_contact_alone(world: World) -> None:
    await caps_are(world, cap(1, per=Per.CONTACT))
    await world.starts()
    await fail(world)
    await world.starts(to_number=BOB)
    assert await world.value("SELECT contact FROM cap_change") == ADA
    refused(await world.answers(to_number=BOB, text="again"))
    await world.starts(text="again")
    assert await amounts(world) == [1]
    assert await world.value("SELECT count(*) FROM cap_change") == 0
    refused(await world.answers(text="once more"))


async def test_what_stood_beside_it_is_kept_though_the_call_is_refused(world: World) -> None:
    await caps_are(world, cap(1, count=Measure.SEGMENTS, per=Per.CONTACT))
    await world.starts()
    await world.sends()
    await world.hears("Monday")
    await world.takes_turns()
    await world.sends()  # the reply counts too, and is never refused
    refused(await world.answers(text="again"))
    refused(await world.answers(text="again"))
    assert await amounts(world) == [2]


async def test_each_sender_and_agent_has_its_own(world: World) -> None:
    await add_sender(world, SMS, OTHER)
    await world.saves(BOOKER, "free")
    await world.saves(msgspec.structs.replace(BOOKER, rules=Rules(caps=[cap(1, per=Per.CONTACT)])))
    await world.starts()
    refused(await world.answers(from_number=OTHER))
    await world.starts(from_number=OTHER, agent_id="free")
    assert await amounts(world) == [1]


async def test_what_counts_no_longer_leaves_the_contacts_row(world: World) -> None:
    await caps_are(world, cap(5, HOUR, per=Per.CONTACT), cap(5, 30 * DAY, per=Per.CONTACT))
    await world.starts()
    await world.sends()
    await caps_are(world, cap(5, 30 * DAY, per=Per.CONTACT))
    world.clock.passes(days=3)
    await world.starts(text="again")
    assert [name.split()[1] for name in await counted(world)] == [str(30 * DAY)]
    assert await amounts(world) == [2]


async def test_a_merged_contact_counts_what_both_took(world: World) -> None:
    await caps_are(world, cap(2, per=Per.CONTACT))
    await world.starts()
    await world.starts(to_number=BOB)
    contact_id = await world.value(f"SELECT id FROM contact WHERE address = '{ADA}'")
    await world.store.write(
        lambda tx: link_address(
            tx, workspace_id=WORKSPACE, contact_id=contact_id, address=BOB, now=world.clock.now(), ids=world.ids
        )
    )
    refused(await world.answers(text="again"))
    assert (await amounts(world), await counted(world, BOB)) == ([2], {})


@pytest.mark.parametrize("text", [text for number, _, text in all_migrations() if number == 26])
async def test_what_was_counted_before_contacts_did_is_kept(world: World, database_url: str, text: str) -> None:
    """The very statement of the migration, over rows as they were before it."""
    await world.rules(Rules(caps=[Cap(at_most=1, within_seconds=DAY, per=Per.CONTACT)]))
    await world.starts()
    await world.change("UPDATE contact SET counted = NULL")
    at = int(world.clock.now().timestamp()) // HOUR * HOUR
    await world.change(
        "INSERT INTO cap (workspace_id, name, buckets, until) VALUES "
        f"('{WORKSPACE}', 'messages {DAY} {ADA} workspace ', '[[{at},1]]', 0), "
        f"('{WORKSPACE}', 'messages 60 {ADA} agent booker', '[]', 0), "
        f"('{WORKSPACE}', 'messages {DAY} - workspace ', '[[{at},1]]', 0)"
    )
    dialect = for_sqlite if database_url.startswith("sqlite") else for_postgresql
    await world.change(next(part for part in dialect(text).split(";") if "UPDATE contact" in part))
    assert await counted(world) == {
        f"messages {DAY} contact workspace ": [[at, 1]],
        "messages 60 contact agent booker": [],
    }
    refused(await world.answers(text="again"))
