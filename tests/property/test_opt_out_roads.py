"""However it becomes known that somebody wants no more messages: from that commit on nothing that waits leaves."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

import msgspec
import pytest

from overture.actions.link_address import link_address, unlink_address
from overture.actions.record_consents import check_consents, record_consents
from overture.domain.agent import EndReason, OnActive
from overture.domain.consent_row import ConsentChange, Row
from overture.domain.conversation import Mode
from overture.domain.errors import Refusal
from tests.scripted_twilio import Refuse
from tests.world import ADA, BOB, BOOKER, SMS, WHATSAPP, WORKSPACE, World, add_sender

Road: TypeAlias = Callable[[World], Awaitable[None]]

OTHER = "+15557770000"
LEDGER = (
    "SELECT id, shard, workspace_id, channel, change, source, evidence, at, purpose, recorded_at, row_key FROM consent"
)


def says(text: str, **fields: str) -> Road:
    return lambda world: world.hears(text, **fields)


def row(**changes: Any) -> Row:
    given: dict[str, Any] = {
        "address": ADA,
        "channel": "any",
        "change": ConsentChange.OPT_OUT,
        "purpose": "",
        "source": "letter",
        "evidence": "No more.",
    }
    return Row(**(given | changes))


async def records(world: World, *rows: Row) -> list[Any]:
    now, ids = world.clock.now(), world.ids
    return list(await world.store.write(lambda tx: record_consents(tx, WORKSPACE, rows, now, ids, "key 1")))


async def is_recorded(world: World) -> None:
    await records(world, row())


async def is_imported_for_a_sender(world: World) -> None:
    await records(world, row(address=BOB), row(channel="sms"), row(address=BOB, key="1"))


async def is_refused(world: World) -> None:
    world.twilio.script.append(Refuse(status=400, code=21610))
    await world.sends()


async def is_reported(world: World) -> None:
    await world.sends()
    await world.is_told(world.twilio.taken[-1], "failed", code=21610)


ROADS: dict[str, Road] = {
    "keyword": says("STOP"),
    "keyword in other letters": says("ｓｔｏｐ."),
    "wish": says("Please stop texting me"),
    "wish in another language": says("Hört bitte auf, mir zu schreiben!"),
    "a wish longer than any keyword": says("I do not know who gave you this number, sorry. Stop texting me, please."),
    "the provider's own word for it": says("Arrêt", OptOutType="STOP"),
    "a button": says("No thanks", ButtonPayload="STOP"),
    "refused by the provider": is_refused,
    "reported by the provider": is_reported,
    "recorded over the API": is_recorded,
    "imported": is_imported_for_a_sender,
}


@pytest.mark.promise("P22")
@pytest.mark.parametrize("road", list(ROADS.values()), ids=list(ROADS))
async def test_whatever_road_it_comes_everything_that_waits_is_taken_back(world: World, road: Road) -> None:
    await world.saves(msgspec.structs.replace(BOOKER, on_active=OnActive.JOIN))
    await add_sender(world, SMS, OTHER)
    one = await world.starts(text="One. " * 400)
    await world.starts(text="Two.")
    other = await world.starts(from_number=OTHER, text="Three.")
    left = len(world.twilio.posts)
    await road(world)
    left_by_the_road = len(world.twilio.posts) - left
    assert left_by_the_road <= 2, "a road that the provider tells has to post"
    assert await world.column("SELECT seq FROM outbox WHERE NOT confirms_opt_out") == []
    assert await world.column("SELECT DISTINCT change FROM consent") == ["opt_out"]
    for an_id in (one, other):
        ended = await world.conversation(an_id)
        assert (ended.mode, ended.end_reason) == (Mode.ENDED, EndReason.OPT_OUT)
    before = len(world.twilio.posts)
    await world.takes_turns()
    await world.sends(4)
    confirmed = [post["Body"] for post in world.twilio.posts[before:]]
    assert len(confirmed) <= 1
    assert all("START" in text for text in confirmed)
    refused = await world.answers(text="Again")
    assert isinstance(refused, Refusal)
    assert refused.code == "recipient_opted_out"


@pytest.mark.promise("P22")
async def test_nothing_in_the_ledger_is_ever_changed(world: World) -> None:
    kept: set[Any] = set()

    async def happens(what: Awaitable[Any]) -> None:
        await what
        now = {tuple(line) for line in await world.rows(LEDGER)}
        assert kept <= now
        kept.update(now)

    await happens(world.starts(consent={"source": "form"}))
    await happens(world.hears("STOP"))
    await happens(world.hears("START"))
    await happens(records(world, row(), row(), row(change=ConsentChange.GRANT, purpose="any")))
    await happens(records(world, row(change=ConsentChange.REVOKE), row(address=BOB)))
    await happens(is_recorded(world))
    await happens(world.hears("hello", by="US.13491208655302741918", channel=WHATSAPP))
    await happens(world.hears("STOP", by="US.13491208655302741918", channel=WHATSAPP))
    [ada] = await world.column("SELECT id FROM contact WHERE address = $1", ADA)
    given: dict[str, Any] = {"workspace_id": WORKSPACE, "contact_id": ada, "now": world.clock.now(), "ids": world.ids}
    await happens(world.store.write(lambda tx: link_address(tx, address=BOB, **given)))
    await happens(world.store.write(lambda tx: link_address(tx, address="US.13491208655302741918", **given)))
    assert await world.column("SELECT DISTINCT contact_id FROM consent") == [ada], "three became one"
    await happens(world.store.write(lambda tx: unlink_address(tx, address=BOB, **given)))
    assert len(kept) >= 9


async def test_what_would_be_refused_is_told_without_writing(world: World) -> None:
    rows = [row(), row(sender="+15550009999"), row(change=ConsentChange.OPT_IN)]
    before = await world.counts()
    found = await world.store.read(lambda tx: check_consents(tx, WORKSPACE, rows, world.clock.now()))
    assert [isinstance(one, Refusal) for one in found] == [False, True, True]
    assert await world.counts() == before
