"""The doctor finds what has drifted since: webhooks that lead elsewhere, mixed-up tokens, clocks, a shut door."""

import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from handset.testing import Answer, RunningHandset, receiving
from handset.testing import running as handset_running
from overture import bootstrap, settings
from overture.adapters.clock import SystemClock
from overture.cli import check_house, check_provider, check_webhook
from overture.cli.finding import Finding, Verdict
from overture.client import Client
from overture.settings import AccountSettings, SenderSettings, Settings
from tests.cli.commands import running

PUBLIC = "https://overture.example.org"
OURS = f"{PUBLIC}/webhooks/twilio/inbound#rc=3&rp=ct,rt,5xx"
SMS, WHATSAPP = "+15551234567", "whatsapp:+15551234567"
MAIN, SUB = "AC" + "a" * 32, "AC" + "b" * 32
SERVICE = "MG" + "1" * 32
REGISTERED = {"sid": SERVICE, "name": "Shop", "numbers": [SMS], "us_registered": True}


@contextlib.asynccontextmanager
async def provider(sms: dict[str, Any] | None = None, **changes: Any) -> AsyncIterator[RunningHandset]:
    """An account whose senders lead to us, but for what is given of its number."""
    number = {"address": SMS, "inbound_url": OURS, **(sms or {})}
    known = {
        "accounts": [{"sid": MAIN, "auth_token": "right"}],
        "numbers": [number, {"address": WHATSAPP, "inbound_url": OURS}],
        "services": [{**REGISTERED, "use_inbound_webhook_on_number": True}],
        **changes,
    }
    async with handset_running(known) as at:
        yield at


def house(folder: Path, at: RunningHandset, *accounts: tuple[str, str], public: str = PUBLIC) -> Settings:
    """Settings that name accounts with their tokens, and both senders."""
    known = settings.read({"OVERTURE_DATA": str(folder / "data")})
    named = accounts or ((MAIN, "right"),)
    return Settings(
        **{
            **{name: getattr(known, name) for name in Settings.__struct_fields__},
            "public_urls": (public,),
            "accounts": tuple(
                AccountSettings(sid=sid, auth_tokens=(token,), base_url=at.base_url) for sid, token in named
            ),
            "senders": (
                SenderSettings(address=SMS, account=MAIN),
                SenderSettings(address=SMS, channel="whatsapp", account=MAIN),
            ),
        }
    )


async def found(known: Settings) -> list[Finding]:
    """What the doctor finds about accounts and senders."""
    return [finding async for finding in check_provider.examine(known)]


def told(findings: Sequence[Finding], verdict: Verdict) -> str:
    """The sentences of one verdict."""
    return "\n".join(finding.sentence for finding in findings if finding.verdict is verdict)


async def test_where_nothing_has_drifted_nothing_is_wrong(tmp_path: Path) -> None:
    async with provider() as at:
        findings = await found(house(tmp_path, at))
    assert {finding.verdict for finding in findings} == {Verdict.GOOD}, findings
    assert f"sms:{SMS} belongs to the account." in told(findings, Verdict.GOOD)
    assert f"{WHATSAPP} belongs to the account." in told(findings, Verdict.GOOD)


@pytest.mark.parametrize(
    ("sms", "changes", "verdict", "sentence"),
    [
        ({"inbound_url": "https://x.example.org"}, {}, Verdict.WRONG, "its messages go to https://x.example.org."),
        ({"inbound_url": None}, {}, Verdict.WRONG, "its messages go to nowhere."),
        ({"inbound_url": OURS.partition("#")[0]}, {}, Verdict.NOTE, "its webhook has lost what follows the #"),
        ({"inbound_method": "GET"}, {}, Verdict.WRONG, "its webhook is called with GET"),
        ({"application_sid": "AP" + "1" * 32}, {}, Verdict.WRONG, "its messages go to application AP"),
        ({"sms": False}, {}, Verdict.WRONG, f"sms:{SMS} cannot send or receive SMS."),
        ({"conversations": True}, {}, Verdict.NOTE, "Conversations takes its messages up as well"),
        (
            {},
            {"services": [{**REGISTERED, "inbound_url": "https://y.example.org"}]},
            Verdict.WRONG,
            "its messages go to https://y.example.org, by Messaging Service Shop.",
        ),
        ({}, {"services": []}, Verdict.NOTE, "is in no Messaging Service registered for 10DLC"),
        (
            {},
            {"accounts": [{"sid": MAIN, "auth_token": "right", "type": "Trial"}]},
            Verdict.NOTE,
            f"Account {MAIN} is a trial",
        ),
        (
            {},
            {"accounts": [{"sid": MAIN, "auth_token": "right", "status": "suspended"}]},
            Verdict.WRONG,
            f"Account {MAIN} (Handset) is suspended.",
        ),
    ],
)
async def test_what_has_drifted_is_told_with_what_to_do(
    tmp_path: Path, sms: dict[str, Any], changes: dict[str, Any], verdict: Verdict, sentence: str
) -> None:
    async with provider(sms, **changes) as at:
        findings = await found(house(tmp_path, at))
    assert sentence in told(findings, verdict), findings
    assert all(finding.hint for finding in findings if finding.verdict is not Verdict.GOOD)


async def test_tokens_of_a_parent_and_its_sub_account_that_were_mixed_up_are_told(tmp_path: Path) -> None:
    accounts = [{"sid": MAIN, "auth_token": "right"}, {"sid": SUB, "auth_token": "sub", "owner": MAIN}]
    async with provider(accounts=accounts) as at:
        findings = await found(house(tmp_path, at, (MAIN, "sub"), (SUB, "right")))
        wrong = told(findings, Verdict.WRONG)
        assert f"The auth token of account {MAIN} stands at account {SUB}." in wrong
        assert f"The auth token of account {SUB} stands at account {MAIN}." in wrong
        findings = await found(house(tmp_path, at, (MAIN, "right"), (SUB, "sub")))
        assert f"It is a sub-account of {MAIN}" in told(findings, Verdict.GOOD)
        findings = await found(house(tmp_path, at, (MAIN, "old"), (SUB, "sub")))
        assert "The provider refused our credentials." in told(findings, Verdict.WRONG)


async def test_accounts_that_are_kept_here_are_told_of(tmp_path: Path) -> None:
    known = settings.read({"OVERTURE_DATA": str(tmp_path / "data")})
    async with bootstrap.serving_locally(known):
        async with Client(socket=known.socket) as client:
            await client.save_account(MAIN, auth_token="right", name="Bakery")
            await client.save_sender(account_sid=MAIN, channel="sms", address=SMS)
        findings = await found(known)
    notes = told(findings, Verdict.NOTE)
    assert f"Account {MAIN} (Bakery) is kept by the server, with 1 auth token" in notes
    assert f"No webhook has come yet for 1 of the senders kept here (sms:{SMS})." in notes
    assert told(findings, Verdict.WRONG) == ""


@pytest.mark.parametrize(
    ("off", "sentence"),
    [
        (timedelta(seconds=300), "300 s ahead of the provider's."),
        (timedelta(seconds=-300), "300 s behind the provider's."),
        (timedelta(seconds=20), None),
        (None, None),
    ],
)
def test_a_clock_that_is_off_is_told(off: timedelta | None, sentence: str | None) -> None:
    findings = check_provider.judge_clock(None if off is None else SystemClock().now() - off)
    assert [finding.sentence for finding in findings] == (
        [] if sentence is None else [f"This machine's clock is {sentence}"]
    )


@pytest.mark.parametrize(
    ("version", "verdict"),
    [("3.51.2", Verdict.WRONG), ("3.9.9", Verdict.WRONG), ("3.51.3", Verdict.GOOD), ("3.54.1", Verdict.GOOD)],
)
def test_a_sqlite_that_can_lose_what_it_was_told_is_named(version: str, verdict: Verdict) -> None:
    assert check_house.judge_sqlite(version).verdict is verdict


async def test_the_public_address_is_called_as_the_provider_would_and_no_row_is_left(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    public = f"http://127.0.0.1:{port}"
    async with provider() as at:
        given = {
            "OVERTURE_PUBLIC_URL": public,
            "OVERTURE_TWILIO_ACCOUNT_SID": MAIN,
            "OVERTURE_TWILIO_AUTH_TOKEN": "right",
            "OVERTURE_TWILIO_BASE_URL": at.base_url,
            "OVERTURE_SENDERS": f"sms:{SMS}",
        }
        known = house(tmp_path, at, public=public)
        assert [one.verdict async for one in check_webhook.examine(known)] == [Verdict.NOTE]
        with running(tmp_path, "serve", "--port", str(port), **given) as server:
            server.until("Overture listens on")
            (fine,) = [one async for one in check_webhook.examine(known)]
            assert (fine.verdict, f"takes what is signed for account {MAIN}." in fine.sentence) == (
                Verdict.GOOD,
                True,
            ), fine
            (forged,) = [one async for one in check_webhook.examine(house(tmp_path, at, (MAIN, "old"), public=public))]
            assert f"refuses what is signed for account {MAIN}." in forged.sentence
            (away,) = [one async for one in check_webhook.examine(house(tmp_path, at, public="http://127.0.0.1:1"))]
            assert "does not answer from here" in away.sentence
            async with receiving() as other:
                other.answers("/webhooks/twilio/inbound", Answer(status=404), Answer(status=301), Answer(status=503))
                theirs = house(tmp_path, at, public=other.base_url)
                sentences = [one.sentence for _ in range(3) async for one in check_webhook.examine(theirs)]
            for sentence, expected in zip(
                sentences, ("Something else answers", "redirects (301)", "Something else answers"), strict=True
            ):
                assert expected in sentence
            async with Client(socket=known.socket) as client:
                for state in ("unrouted", "parked"):
                    assert (await client.list_inbox(state)).events == []
