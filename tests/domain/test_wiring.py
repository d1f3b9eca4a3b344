"""What connecting would set, what it warns of, and how drift and restoring are told: facts in, a plan out."""

from typing import Any

import msgspec
import pytest

from overture.domain.public_address import objection
from overture.domain.remembered_wiring import Remembered, Undoing, remember, undo
from overture.domain.wiring import (
    SANDBOX,
    Change,
    Facts,
    OwnedNumber,
    Place,
    Plan,
    Service,
    Setting,
    WhatsAppSender,
    find_drift,
    leads_to,
    make_plan,
    webhook_url,
)

PUBLIC = "https://overture.example.org"
OURS = Setting(url=webhook_url(PUBLIC))
THEIRS = Setting(url="https://elsewhere.example.org/sms")
US, UK, WHATSAPP = "+15551234567", "+447700900123", "whatsapp:+15551234567"


def number(address: str = UK, **fields: Any) -> OwnedNumber:
    """A number of the account."""
    return OwnedNumber(sid=f"PN{address}", address=address, **fields)


def service(*senders: str, **fields: Any) -> Service:
    """A service with these senders."""
    return Service(**{"sid": "MG1", "name": "Shop", "senders": senders, "us_registered": True, **fields})


def planned(*numbers: OwnedNumber, **facts: Any) -> Plan:
    """The plan for an account."""
    return make_plan(Facts(account_sid="AC1", numbers=numbers, **facts), public_url=PUBLIC)


def warned(plan: Plan) -> str:
    """All that the plan's changes warn of."""
    return "\n".join(warning for change in plan.changes for warning in change.warnings)


@pytest.mark.parametrize(
    ("facts", "place", "addresses", "now", "is_needed"),
    [
        ({"numbers": (number(),)}, Place.NUMBER, (UK,), Setting(), True),
        ({"numbers": (number(setting=THEIRS),)}, Place.NUMBER, (UK,), THEIRS, True),
        ({"numbers": (number(setting=OURS),)}, Place.NUMBER, (UK,), OURS, False),
        (
            {"numbers": (number(setting=Setting(url=OURS.url, application_sid="AP1")),)},
            Place.NUMBER,
            (UK,),
            Setting(url=OURS.url, application_sid="AP1"),
            True,
        ),
        ({"whatsapp": (WhatsAppSender(sid="XE1", address=WHATSAPP),)}, Place.WHATSAPP, (WHATSAPP,), Setting(), True),
        (
            {"numbers": (number(), number(US)), "services": (service(UK, US, setting=THEIRS),)},
            Place.SERVICE,
            (UK, US),
            THEIRS,
            True,
        ),
        (
            {"numbers": (number(setting=THEIRS),), "services": (service(UK, leaves_it_to_numbers=True),)},
            Place.NUMBER,
            (UK,),
            THEIRS,
            True,
        ),
        (
            {
                "whatsapp": (WhatsAppSender(sid="XE1", address=WHATSAPP),),
                "services": (service(WHATSAPP, setting=OURS),),
            },
            Place.SERVICE,
            (WHATSAPP,),
            OURS,
            False,
        ),
    ],
)
def test_the_place_that_decides_is_set(
    facts: dict[str, Any], place: Place, addresses: tuple[str, ...], now: Setting, is_needed: bool
) -> None:
    (change,) = make_plan(Facts(account_sid="AC1", **facts), public_url=PUBLIC + "/").changes
    assert (change.place, change.addresses, change.now, change.becomes) == (place, addresses, now, OURS)
    assert change.is_needed is is_needed


@pytest.mark.parametrize(
    ("plan", "told"),
    [
        (planned(number(setting=THEIRS)), "its messages go to https://elsewhere.example.org/sms today"),
        (planned(number(setting=Setting(url=OURS.url, method="GET"))), "its webhook is called with GET"),
        (
            planned(number(setting=Setting(application_sid="AP1"))),
            "application AP1 takes its messages; it is taken off",
        ),
        (planned(number(), services=(service(UK),)), "Messaging Service Shop decides for its senders"),
        (planned(number(), services=(service(UK, US),)), "all 2 senders in it follow"),
        (planned(number(), services=(service(UK, name=""),)), "Messaging Service MG1 decides"),
        (
            planned(number(), services=(service(UK, leaves_it_to_numbers=True),)),
            "which leaves its messages to the number",
        ),
        (planned(number(), services=(service(UK, names=("BAKERY",)),)), "it also sends as BAKERY"),
        (planned(number(), converse=frozenset({UK})), "Conversations takes its messages up as well"),
        (planned(number(US)), "is in no Messaging Service registered for 10DLC"),
        (planned(number(US), services=(service(US, us_registered=False),)), "Shop is not registered for 10DLC"),
        (
            planned(whatsapp=(WhatsAppSender(sid="XE1", address=WHATSAPP, status="OFFLINE"),)),
            "whatsapp:+15551234567 is offline at WhatsApp",
        ),
    ],
)
def test_what_is_worth_a_second_thought_is_told(plan: Plan, told: str) -> None:
    assert told in warned(plan)


@pytest.mark.parametrize(
    "plan",
    [
        planned(number()),
        planned(number(setting=OURS)),
        planned(number("+18005550199")),  # toll-free numbers are verified, not registered
        planned(number(US), services=(service(US, leaves_it_to_numbers=True, setting=OURS, us_registered=True),)),
    ],
)
def test_where_all_is_well_no_alarm_is_raised(plan: Plan) -> None:
    assert "10DLC" not in warned(plan)
    assert "today" not in warned(plan)


def test_what_the_whole_account_suffers_from_is_told_once() -> None:
    plan = planned(account_status="suspended", account_type="Trial")
    told = "\n".join(plan.warnings)
    for sentence in ("is suspended", "is a trial", "neither a number nor a WhatsApp sender"):
        assert sentence in told


def test_senders_that_cannot_be_connected_are_named_with_why() -> None:
    facts = Facts(account_sid="AC1", numbers=(number(can_sms=False),))
    asked = [UK, SANDBOX, "12345", "+15550000000", "whatsapp:+15550000000"]
    plan = make_plan(facts, public_url=PUBLIC, asked=asked)
    assert plan.changes == ()
    assert [address for address, _ in plan.skipped] == asked
    told = [why for _, why in plan.skipped]
    for why, expected in zip(
        told,
        ("cannot send or receive SMS", "sandbox", "short codes", "none of the account's numbers", "WhatsApp senders"),
        strict=True,
    ):
        assert expected in why


def test_only_one_sender_is_planned_where_one_is_named() -> None:
    facts = Facts(account_sid="AC1", numbers=(number(), number(US)))
    plan = make_plan(facts, public_url=PUBLIC, only=US, asked=[UK, US])
    assert ([change.addresses for change in plan.changes], plan.skipped) == ([(US,)], ())


@pytest.mark.parametrize(
    ("now", "told"),
    [
        (OURS, None),
        (Setting(), "its messages go to nowhere"),
        (THEIRS, "its messages go to https://elsewhere.example.org/sms"),
        (Setting(url=OURS.url, method="GET"), "its webhook is called with GET"),
        (Setting(url=OURS.url.partition("#")[0]), "its webhook has lost what follows the #"),
        (Setting(url=OURS.url, application_sid="AP1"), "its messages go to application AP1"),
        (Setting(url=OURS.url.replace(".org", ".org.evil.example")), "its messages go to"),
    ],
)
def test_drift_is_told(now: Setting, told: str | None) -> None:
    drift = find_drift(planned(number(setting=now)), [PUBLIC])
    assert (told is None) == (drift == {})
    assert told is None or told in drift[UK]


def test_a_service_that_took_over_is_named_as_such() -> None:
    drift = find_drift(planned(number(setting=OURS), services=(service(UK, setting=THEIRS),)), [PUBLIC])
    assert drift == {UK: "its messages go to https://elsewhere.example.org/sms, by Messaging Service Shop"}


@pytest.mark.parametrize(
    "url", [OURS.url, OURS.url.partition("#")[0], "https://two.example.org/webhooks/twilio/inbound"]
)
def test_an_address_leads_to_us_under_each_public_address(url: str) -> None:
    assert leads_to(url, [PUBLIC + "/", "https://two.example.org"])


def change_from(now: Setting, becomes: Setting = OURS) -> Change:
    """A change of one number."""
    return Change(place=Place.NUMBER, sid="PN1", addresses=(UK,), now=now, becomes=becomes)


MOVED = Setting(url=webhook_url("https://moved.example.org"))
THIRD = Setting(url="https://third.example.org")


@pytest.mark.parametrize(
    ("earlier", "now", "before"),
    [
        (None, THEIRS, THEIRS),
        (THEIRS, OURS, THEIRS),  # connected before, and the public address has moved
        (THEIRS, THEIRS, THEIRS),  # broken off before it was set
        (THEIRS, THIRD, THIRD),  # somebody has changed it since
    ],
)
def test_what_was_there_first_is_remembered(earlier: Setting | None, now: Setting, before: Setting) -> None:
    known = None if earlier is None else remember(None, change_from(earlier), account_sid="AC1")
    kept = remember(known, change_from(now, MOVED), account_sid="AC1")
    assert (kept.before, kept.became) == (before, MOVED)


@pytest.mark.parametrize(
    ("now", "undoing"),
    [
        (OURS, Undoing.RESTORE),
        (THEIRS, Undoing.RESTORED),
        (THIRD, Undoing.CHANGED),
        (msgspec.structs.replace(OURS, method="GET"), Undoing.CHANGED),
        (None, Undoing.GONE),
    ],
)
def test_only_what_is_still_ours_is_given_back(now: Setting | None, undoing: Undoing) -> None:
    kept = Remembered(account_sid="AC1", place=Place.NUMBER, sid="PN1", addresses=(UK,), before=THEIRS, became=OURS)
    assert undo(kept, now) is undoing


@pytest.mark.parametrize(
    ("url", "is_rehearsal", "told"),
    [
        (PUBLIC, False, None),
        ("http://127.0.0.1:8080", True, None),
        ("http://127.0.0.1:8080", False, "cannot reach"),
        ("http://localhost", False, "cannot reach"),
        ("https://192.168.1.2", False, "cannot reach"),
        ("https://intranet", False, "cannot reach"),
        ("https://[::1]", False, "cannot reach"),
        ("https://my_host.example.org", False, "underscore"),
        ("http://plain.example.org", False, "not https"),
        ("http://plain.example.org", True, "not https"),
    ],
)
def test_addresses_that_the_provider_cannot_call(url: str, is_rehearsal: bool, told: str | None) -> None:
    said = objection(url, is_rehearsal=is_rehearsal)
    assert (said is None) if told is None else (said is not None and told in said)
