"""`overture doctor` names what is missing or wrong, against Handset as the provider and a small server as the model."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from handset.testing import RunningHandset
from handset.testing import running as handset_running
from tests.cli.commands import overture
from tests.cli.models import model
from tests.world import a_world

PUBLIC = "https://overture.example.org"
OURS = f"{PUBLIC}/webhooks/twilio/inbound#rc=3&rp=ct,rt,5xx"
SENDERS = "sms:+15551234567,whatsapp:+15551234567"


@contextlib.asynccontextmanager
async def handset(inbound: str = OURS, **changes: Any) -> AsyncIterator[RunningHandset]:
    """A provider that knows our senders, whose webhooks go there."""
    numbers = [{"address": address, "inbound_url": inbound} for address in ("+15551234567", "whatsapp:+15551234567")]
    async with handset_running({"numbers": numbers, **changes}) as running:
        yield running


async def doctor(folder: Path, *arguments: str, **settings: str) -> tuple[int, str]:
    """The doctor's exit status, and all it says."""
    run = await asyncio.to_thread(lambda: overture(folder, "doctor", *arguments, **settings))
    assert "Traceback" not in run.stderr, run.stderr
    return run.returncode, run.stdout + run.stderr


def account(at: RunningHandset, **given: str) -> dict[str, str]:
    """Settings that fit that provider, but for what is given."""
    fitting = {
        "OVERTURE_TWILIO_ACCOUNT_SID": at.account_sid,
        "OVERTURE_TWILIO_AUTH_TOKEN": at.auth_token,
        "OVERTURE_TWILIO_BASE_URL": at.base_url,
        "OVERTURE_SENDERS": SENDERS,
        "OVERTURE_PUBLIC_URL": PUBLIC,
    }
    return {**fitting, **given}


async def test_all_is_well_and_no_secret_is_shown(tmp_path: Path) -> None:
    async with handset() as at, model() as endpoint:
        models = {"OVERTURE_MODEL_BASE_URL": endpoint, "OVERTURE_MODEL_NAME": "small", "OVERTURE_MODEL_API_KEY": "hush"}
        status, said = await doctor(tmp_path, **account(at, **models))
    assert status == 0, said
    for told in (
        "set, and not shown",
        "OVERTURE_TWILIO_AUTH_TOKEN",
        "The database is SQLite 3.",
        f"Account {at.account_sid} (Handset) knows these credentials.",
        "sms:+15551234567 belongs to the account.",
        f"webhooks come to {PUBLIC}/webhooks/twilio/inbound.",
        "The model endpoint 'default' answers",
        "Everything is well.",
    ):
        assert told in said, said
    assert at.auth_token not in said
    assert "hush" not in said


async def test_a_server_that_polls_needs_no_public_address_and_no_webhook(tmp_path: Path) -> None:
    async with handset("https://elsewhere.example/hook") as at:
        polls = {"OVERTURE_SENDERS": "sms:+15551234567", "OVERTURE_INBOUND": "poll", "OVERTURE_PUBLIC_URL": ""}
        status, said = await doctor(tmp_path, **account(at, **polls))
    assert status == 0, said
    assert "none is needed: every sender is polled." in said
    assert "whose list is read every three seconds" in said


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"OVERTURE_TWILIO_AUTH_TOKEN": "wrong"}, "The provider refused our credentials."),
        ({"OVERTURE_TWILIO_BASE_URL": "http://127.0.0.1:1"}, "The provider did not answer."),
        ({"OVERTURE_TWILIO_AUTH_TOKEN": ""}, "has no auth token, so none of its webhooks can be verified."),
        ({"OVERTURE_SENDERS": ""}, "No sender is set up."),
        ({"OVERTURE_SENDERS": "sms:+15550001111"}, "sms:+15550001111 is none of the account's numbers."),
        ({"OVERTURE_PUBLIC_URL": ""}, "No public address is set, so no webhook can be verified"),
        ({"OVERTURE_PUBLIC_URL": "https://other.example.org"}, f"its messages go to {OURS}."),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, given: dict[str, str], told: str) -> None:
    async with handset() as at:
        status, said = await doctor(tmp_path, **account(at, **given))
    assert (status, told in said) == (1, True), said
    assert "wrong" in said


async def test_public_addresses_that_the_provider_refuses_are_named(tmp_path: Path) -> None:
    urls = (
        "https://my_host.example.org",
        "https://10.1.2.3",
        "http://plain.example.org",
        "http://localhost:8080",
        PUBLIC,
    )
    status, said = await doctor(tmp_path, OVERTURE_PUBLIC_URL=",".join(urls))
    assert status == 1
    for told in (
        "https://my_host.example.org has an underscore in its host",
        "https://10.1.2.3 is an address that the provider cannot reach.",
        "http://plain.example.org is not https",
        "http://localhost:8080 is an address that the provider cannot reach.",
        f"good   {PUBLIC}; webhooks come to",
    ):
        assert told in said, said


async def test_a_model_is_asked_for_a_word_only_when_told_to(tmp_path: Path) -> None:
    async with handset() as at, model() as endpoint:
        given = {"OVERTURE_MODEL_BASE_URL": endpoint, "OVERTURE_MODEL_NAME": "small"}
        status, said = await doctor(tmp_path, "--probe", **account(at, **given))
    assert (status, "answers with small-1." in said) == (0, True), said


@pytest.mark.parametrize(
    ("answer", "told"), [(401, "refuses the key (401)."), (None, "does not answer (ClientConnectorError).")]
)
async def test_a_model_that_cannot_be_asked_is_named(tmp_path: Path, answer: int | None, told: str) -> None:
    async with handset() as at, model(answer or 200) as endpoint:
        url = endpoint if answer else "http://127.0.0.1:1/v1"
        given = {"OVERTURE_MODEL_BASE_URL": url, "OVERTURE_MODEL_NAME": "small"}
        status, said = await doctor(tmp_path, **account(at, **given))
    assert (status, told in said) == (1, True), said


async def test_nothing_set_up_yet_is_told_with_what_to_do(tmp_path: Path) -> None:
    status, said = await doctor(tmp_path)
    assert status == 1
    assert "No Twilio account is set up." in said
    assert "docs/twilio.md" in said
    assert "There is no agent yet." in said


async def test_conversations_that_are_paused_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with a_world(f"sqlite:///{tmp_path / 'data' / 'overture.db'}") as world:
        an_id = await world.starts()
        await world.change("UPDATE conversation SET mode = 'paused', variables = 'not JSON'")
    _, said = await doctor(tmp_path, "--data", "data")
    assert f"Conversations are paused until a person takes them, the newest {an_id}." in said


async def test_a_folder_that_cannot_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    status, said = await doctor(tmp_path, "--data", "file/data")
    assert (status, "file is a file." in said) == (1, True), said
