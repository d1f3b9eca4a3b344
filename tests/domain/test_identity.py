"""Which addresses are one person, and what becomes of two contacts that are."""

from datetime import datetime, timedelta

import pytest

from overture.domain import identity
from overture.domain.conversation import Mode
from overture.domain.identity import (
    Address,
    Known,
    Link,
    Meet,
    Merge,
    PassOn,
    Person,
    Stale,
    Thread,
    Told,
    Verdict,
    decide,
    join,
    opted_out_since,
    read,
    tell_apart,
)
from tests.world import NOON

BSUID = "US.13491208655302741918"
OTHER = "US.9"
NUMBER = "+15550100001"


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ("+15550100001", "+15550100001"),
        ("whatsapp:+1 (555) 010-0001", "+15550100001"),
        # Brazil: WhatsApp's form without the ninth digit, and everybody else's; a landline has none
        ("+556299998888", "+5562999998888"),
        ("whatsapp:+5562999998888", "+5562999998888"),
        ("+551133334444", "+551133334444"),
        # Mexico, with the 1 that WhatsApp keeps, and without
        ("+5215512345678", "+525512345678"),
        ("+52 55 1234 5678", "+525512345678"),
        # Argentina, with the 9 of calls to mobiles, and without
        ("+5491123456789", "+541123456789"),
        ("+541123456789", "+541123456789"),
        # WhatsApp's ids: of a person, of an enterprise's person; they are as they are written
        (BSUID, BSUID),
        ("whatsapp:BR.1a2B3c", "BR.1a2B3c"),
        ("whatsapp:US.ENT.11815799212886844830", "US.ENT.11815799212886844830"),
        ("US." + "a" * 128, "US." + "a" * 128),
        # neither
        ("US." + "a" * 129, None),
        ("us.13491208655302741918", None),
        ("USA.1", None),
        ("US.", None),
        ("US.1 2", None),
        ("US.1\n", "US.1"),
        ("US.1\x00", None),
        ("US.é", None),
        ("U\N{FULLWIDTH LATIN CAPITAL LETTER S}.1", None),
        ("15550100001", None),
        ("+1", None),
        ("", None),
        ("whatsapp:", None),
        ("messenger:123", None),
        ("+" + "1" * 5000, None),
        ("' OR 1=1 --", None),
    ],
)
def test_an_address_is_a_number_in_any_form_or_a_bsuid(written: str, key: str | None) -> None:
    assert read(written) == key


@pytest.mark.parametrize(
    ("one", "other", "told"),
    [
        (NUMBER, BSUID, (NUMBER, BSUID)),
        (BSUID, NUMBER, (NUMBER, BSUID)),
        ("+5215512345678", "MX.1", ("+525512345678", "MX.1")),
        (BSUID, BSUID, None),
        (NUMBER, "+15550100002", None),
        (NUMBER, "junk", None),
        ("", "", None),
        ("junk", BSUID, None),
    ],
)
def test_a_webhook_tells_something_where_it_names_a_number_and_a_bsuid(
    one: str, other: str, told: tuple[str, str] | None
) -> None:
    assert tell_apart(one, other) == told


def person(an_id: str, *keys: str, met_by: str | None = "ours", met_at: datetime = NOON) -> Person:
    return Person(id=an_id, addresses=tuple(Address(key=key, met_at=met_at, met_by=met_by) for key in keys))


TOLD = Told(number=NUMBER, bsuid=BSUID, sender_id="ours", at=NOON)
FORMER = person("1", OTHER, NUMBER)


@pytest.mark.parametrize(
    ("by_number", "by_bsuid", "verdict"),
    [
        (None, None, Meet()),
        (person("1", NUMBER), None, Link(person_id="1", key=BSUID)),
        (None, person("1", BSUID), Link(person_id="1", key=NUMBER)),
        (None, person("1", "+15550100002", BSUID), Link(person_id="1", key=NUMBER)),  # has a new number
        (person("1", NUMBER, BSUID), person("1", NUMBER, BSUID), Known()),
        (person("1", NUMBER), person("2", BSUID), Merge(stays="1", goes="2")),
        (person("2", NUMBER), person("1", BSUID), Merge(stays="1", goes="2")),  # whichever is older
        # the number's owner has another BSUID at this sender: somebody else has the number now
        (FORMER, None, PassOn(key=NUMBER, of="1", to=None)),
        (FORMER, person("2", BSUID), PassOn(key=NUMBER, of="1", to="2")),
        # at another sender, of another portfolio perhaps, a person has another BSUID; a linked one is nobody's word
        (person("1", OTHER, NUMBER, met_by="theirs"), None, Link(person_id="1", key=BSUID)),
        (person("1", OTHER, NUMBER, met_by=None), person("2", BSUID), Merge(stays="1", goes="2")),
        # written before the number passed to whom we know it of
        (person("1", OTHER, NUMBER, met_at=NOON + timedelta(seconds=1)), person("2", BSUID), Stale()),
        (person("1", OTHER, NUMBER, met_at=NOON + timedelta(seconds=1)), None, Stale()),
    ],
)
def test_what_is_to_be_done_follows_from_who_is_known(
    by_number: Person | None, by_bsuid: Person | None, verdict: Verdict
) -> None:
    assert decide(TOLD, by_number, by_bsuid) == verdict


def thread(an_id: str, live: str | None = None, mode: Mode | None = None, heard: int | None = None) -> Thread:
    return Thread(
        id=an_id,
        shard=int(an_id),
        sender_id="ours",
        contact_id="of " + an_id,
        contact_address="address of " + an_id,
        last_inbound_at=None if heard is None else NOON + timedelta(minutes=heard),
        last_conversation_id=live or "0",
        live=live,
        mode=mode or (None if live is None else Mode.BOT),
    )


@pytest.mark.parametrize(
    ("one", "other", "kept"),
    [
        (thread("1"), thread("2", live="b"), "2"),
        (thread("1", live="b"), thread("2", live="a"), "2"),  # the older one
        (thread("1", live="a"), thread("2", live="b", mode=Mode.HUMAN), "2"),
        (thread("1", live="a"), thread("2", live="b", mode=Mode.PAUSED), "2"),
        (thread("1", live="b", mode=Mode.HUMAN), thread("2", live="a", mode=Mode.PAUSED), "1"),
        (thread("1", live="b", mode=Mode.HUMAN), thread("2", live="a", mode=Mode.HUMAN), "2"),
        (thread("1"), thread("2", heard=1), "2"),
        (thread("1"), thread("2"), "1"),
    ],
)
def test_of_two_threads_one_goes_on(one: Thread, other: Thread, kept: str) -> None:
    for both in ((one, other), (other, one)):
        joined = join(*both)
        assert (joined.kept.id, joined.kept.live) == (kept, {"1": one, "2": other}[kept].live)
        assert joined.given_up == {"1": other, "2": one}[kept]


@pytest.mark.parametrize(
    ("one", "other", "writes_to", "heard"),
    [(None, None, "1", None), (1, None, "1", 1), (None, 1, "2", 1), (1, 2, "2", 2), (2, 1, "1", 2), (1, 1, "1", 1)],
)
def test_the_thread_has_the_later_window_and_the_form_that_last_wrote(
    one: int | None, other: int | None, writes_to: str, heard: int | None
) -> None:
    joined = join(thread("1", live="a", heard=one), thread("2", heard=other))
    assert joined.kept.contact_address == f"address of {writes_to}"
    assert joined.kept.last_inbound_at == (None if heard is None else NOON + timedelta(minutes=heard))


@pytest.mark.parametrize(
    ("outs", "ins", "since"),
    [
        ((None, None), (), None),
        ((1, None), (), 1),
        ((None, 1), (), 1),
        ((1, 2), (), 2),
        ((1, None), (2,), None),  # said START since, as the other contact
        ((3, None), (2,), 3),
        ((2, None), (2,), 2),  # at one instant: silence
        ((1, 3), (2, 0), 3),
    ],
)
def test_the_last_word_on_consent_counts_whichever_contact_said_it(
    outs: tuple[int | None, ...], ins: tuple[int, ...], since: int | None
) -> None:
    def at(minutes: int | None) -> datetime | None:
        return None if minutes is None else NOON + timedelta(minutes=minutes)

    assert opted_out_since([at(n) for n in outs], [at(n) for n in ins]) == at(since)


def test_identity_knows_no_half_addresses() -> None:
    assert identity.read("whatsapp: +15550100001") == NUMBER
