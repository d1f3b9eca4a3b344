"""Whatever is heard, opened and linked in whatever order, a person is one contact, and nothing about them is lost.

A model beside it says who is whom, who has opted out, and until when each window is open: in plain sets, one event
after the other.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from overture.actions.link_address import link_address
from overture.domain.variants import canonical
from overture.store import identities
from overture.store.engine import instant_or_none
from tests.sizes import size
from tests.world import WHATSAPP, WORKSPACE, World

EXAMPLES = size(small=20, full=300)
MOST = size(small=10, full=25)
ADDRESSES = st.integers(0, 5)  # three numbers, the first in two forms, and two BSUIDs
NUMBERS, BSUIDS = st.integers(0, 3), st.integers(4, 5)
WORDS = st.sampled_from(["hello", "hello", "STOP", "START"])
EVENTS = st.one_of(
    st.tuples(st.just("hears"), ADDRESSES, WORDS),
    st.tuples(st.just("hears both"), NUMBERS, BSUIDS, st.booleans(), WORDS),
    st.tuples(st.just("starts"), NUMBERS),
    st.tuples(st.just("links"), ADDRESSES, ADDRESSES),
)


@dataclass
class Someone:
    """A person of the model: addresses (for BSUIDs, whether the sender met them), consent, and the WhatsApp thread."""

    addresses: dict[str, bool]
    out_at: datetime | None = None
    in_at: datetime | None = None
    heard_at: datetime | None = None
    form: str = ""


@dataclass
class Model:
    """Who there is, by the rules of docs/contacts.md."""

    people: list[Someone] = field(default_factory=list)

    def owner(self, key: str) -> Someone | None:
        return next((one for one in self.people if key in one.addresses), None)

    def meet(self, key: str) -> Someone:
        if (one := self.owner(key)) is None:
            one = Someone({key: False})
            self.people.append(one)
        return one

    def merge(self, stays: Someone, goes: Someone) -> None:
        self.people.remove(goes)
        stays.addresses |= goes.addresses
        outs, ins = [[at for at in ats if at] for ats in ((stays.out_at, goes.out_at), (stays.in_at, goes.in_at))]
        out = max(outs, default=None)
        back = max(ins, default=None)
        stays.out_at, stays.in_at = (None if out is None or (back is not None and back > out) else out), back
        if goes.heard_at is not None and (stays.heard_at is None or goes.heard_at > stays.heard_at):
            stays.heard_at, stays.form = goes.heard_at, goes.form

    def links(self, one: str, other: str) -> None:
        mine, theirs = self.owner(one), self.owner(other)
        if mine is None or mine is theirs:
            return
        if theirs is None:
            mine.addresses[other] = False
        else:
            self.merge(mine, theirs)

    def told(self, number: str, bsuid: str) -> None:
        by_number, by_bsuid = self.owner(number), self.owner(bsuid)
        if by_number is None and by_bsuid is None:
            self.people.append(Someone({number: False, bsuid: False}))
        elif by_number is None and by_bsuid is not None:
            by_bsuid.addresses[number] = False
        elif by_number is not by_bsuid and by_number is not None:
            if any(met for key, met in by_number.addresses.items() if not key.startswith("+") and key != bsuid):
                self.pass_on(number, by_number, bsuid, by_bsuid)
            elif by_bsuid is None:
                by_number.addresses[bsuid] = False
            else:
                self.merge(by_number, by_bsuid)
        owner = self.owner(bsuid)
        assert owner is not None
        owner.addresses[bsuid] |= by_bsuid is None or by_number is not by_bsuid

    def pass_on(self, number: str, of: Someone, bsuid: str, to: Someone | None) -> None:
        del of.addresses[number]
        if canonical(of.form) == number:
            of.heard_at, of.form = None, ""
        if to is None:
            to = Someone({bsuid: False}, out_at=of.out_at)
            self.people.append(to)
        to.addresses[number] = False

    def hears(self, form: str, word: str, at: datetime) -> None:
        one = self.meet(canonical(form))
        if not form.startswith("+") and len(one.addresses) == 1:
            one.addresses[form] = True
        one.heard_at, one.form = at, form
        if word == "STOP":
            one.out_at = at
        elif word == "START" and one.out_at is not None:
            one.out_at, one.in_at = None, at


def addresses(n: int) -> list[str]:
    """The addresses of one history: other ones than any before it."""
    return [f"+5255{n:05}001", f"+52155{n:05}001", f"+1555{n:05}02", f"+1555{n:05}03", f"MX.{n}x1", f"US.{n}x2"]


async def happens(world: World, model: Model, event: tuple[Any, ...], named: list[str]) -> None:
    match event:
        case ("hears", by, word):
            await world.hears(word, channel=WHATSAPP, by=named[by])
            model.hears(named[by], word, world.clock.now())
        case ("hears both", number, bsuid, shown, word):
            forms = named[number], named[bsuid]
            wrote, beside = forms if shown else forms[::-1]
            await world.hears(word, channel=WHATSAPP, by=wrote, ExternalUserId=f"whatsapp:{beside}")
            model.told(canonical(forms[0]), forms[1])
            model.hears(wrote, word, world.clock.now())
        case ("starts", number):
            await world.answers(to_number=named[number], digest=str(world.clock.now()))
            owner = model.owner(canonical(named[number]))
            if owner is None or owner.out_at is None:
                model.meet(canonical(named[number]))
        case ("links", one, other):
            await links(world, canonical(named[one]), named[other])
            model.links(canonical(named[one]), canonical(named[other]))


async def links(world: World, key: str, other: str) -> None:
    asked = (WORKSPACE, key)
    known = (await world.store.read(lambda tx: identities.find_by_addresses(tx, [asked]))).get(asked)
    if known is not None:
        now = world.clock.now()
        await world.store.write(
            lambda tx: link_address(
                tx, workspace_id=WORKSPACE, contact_id=known.id, address=other, now=now, ids=world.ids
            )
        )


async def what_is_on_disk(world: World, keys: list[str]) -> set[tuple[Any, ...]]:
    asked = [(WORKSPACE, key) for key in keys]
    found = await world.store.read(lambda tx: identities.find_by_addresses(tx, asked))
    told = set()
    for one in {contact.id: contact for contact in found.values()}.values():
        rows = await world.rows(
            "SELECT t.last_inbound_at FROM thread t JOIN sender s ON s.id = t.sender_id "
            "WHERE t.contact_id = $1 AND t.merged_into IS NULL AND s.channel = 'whatsapp'",
            one.id,
        )
        assert len(rows) <= 1
        heard_at = instant_or_none(rows[0][0]) if rows else None
        told.add((frozenset(address.key for address in one.person.addresses), one.opted_out_at, heard_at))
    return told


@settings(max_examples=EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(events=st.lists(EVENTS, min_size=2, max_size=MOST))
async def test_any_history_leaves_one_contact_a_person_with_all_that_is_known(
    world: World, events: list[tuple[Any, ...]]
) -> None:
    await world.change("UPDATE sender SET inbound_agent_id = 'booker'")
    named = addresses(await world.value("SELECT count(*) FROM inbox") + await world.value("SELECT count(*) FROM event"))
    keys = [canonical(one) for one in named]
    model = Model()
    for event in events:
        world.clock.passes(minutes=1)
        await happens(world, model, event, named)
        expected = {(frozenset(one.addresses), one.out_at, one.heard_at) for one in model.people}
        assert await what_is_on_disk(world, keys) == expected
    forked = await world.rows(
        "SELECT t.contact_id, t.sender_id FROM conversation v JOIN thread t ON t.id = v.thread_id "
        "WHERE v.mode <> 'ended' GROUP BY t.contact_id, t.sender_id HAVING count(*) > 1"
    )
    assert list(forked) == []
    strays = "SELECT v.id FROM conversation v JOIN thread t ON t.id = v.thread_id WHERE v.mode <> 'ended' AND "
    assert await world.rows(strays + "(t.merged_into IS NOT NULL OR v.shard <> t.shard)") == []
    lost = "SELECT k.address FROM contact k WHERE k.alias_of IS NULL AND k.opted_out_at IS NOT NULL AND EXISTS ("
    assert (
        await world.rows(
            lost + "SELECT 1 FROM thread t JOIN conversation v ON v.thread_id = t.id AND v.mode <> 'ended' "
            "WHERE t.contact_id = k.id)"
        )
        == []
    )
