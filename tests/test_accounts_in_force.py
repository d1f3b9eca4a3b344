"""Accounts and senders set up while the house runs, with Handset for Twilio: used at once and everywhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from handset.testing import RunningHandset, running
from overture import settings
from overture.adapters.twilio.accounts import TwilioAccounts
from overture.bootstrap import House
from overture.bootstrap.doors import open_vault
from overture.domain.errors import Misconfigured
from overture.store import credentials
from overture.web.parts import Parts
from tests.web.asgi import Client
from tests.world import OURS

AGENT = "kind: flow\nname: Booker\nnodes:\n  start:\n    say: Hello!\n    end: completed\n"
PHONES = ("+15550200001", "+15550200002")
KEY = "6b" * 32


@asynccontextmanager
async def a_house(database_url: str, folder: Path, **given: str) -> AsyncIterator[tuple[House, Parts, Client]]:
    """A house whose settings name no account, and its owner at the door."""
    read = settings.read(
        {
            "OVERTURE_DATA": str(folder),
            "OVERTURE_DATABASE_URL": database_url,
            "OVERTURE_PUBLIC_URL": "http://127.0.0.1:1",
            "OVERTURE_SECRETS_KEY": KEY,
            **given,
        }
    )
    house = House(read)
    try:
        parts = await house.open()
        house.follow_accounts()
        yield house, parts, Client(house.make_app(parts, trusted=True))
    finally:
        await house.close()


async def done(door: Client, method: str, path: str, asked: Any) -> Any:
    reply = await (door.post(path, asked) if method == "POST" else door.put(path, asked))
    assert reply.status == 200, reply.body
    return reply.json


async def write_to(door: Client, handset: RunningHandset, agent: str, phone: str) -> None:
    """Open a conversation, and wait until its message is at the provider."""
    asked = {"agent_id": agent, "channel": "sms", "to_number": phone, "from_number": OURS}
    await done(door, "POST", "/v2/chat/outbound", asked)

    async def arrived() -> bool:
        return phone in [message["to"] for message in await handset.messages()]

    await handset.wait_for(arrived, 15)


async def test_what_is_set_up_while_the_house_runs_is_used_and_survives_a_start(
    database_url: str, tmp_path: Path
) -> None:
    async with running({"numbers": [{"address": OURS}], "phones": []}) as handset:
        account = {"sid": handset.account_sid, "auth_token": handset.auth_token, "api_url": handset.base_url}
        async with a_house(database_url, tmp_path) as (house, _, door):
            house.start_roads()
            agent = (await done(door, "PUT", "/overture/v1/agents", {"text": AGENT}))["id"]
            await done(door, "POST", "/overture/v1/accounts", account)
            sender = {"account_sid": handset.account_sid, "channel": "sms", "address": OURS}
            await done(door, "POST", "/overture/v1/senders", sender)
            await write_to(door, handset, agent, PHONES[0])
        async with a_house(database_url, tmp_path) as (house, _, door):
            house.start_roads()
            await write_to(door, handset, agent, PHONES[1])


async def test_a_sender_with_wrong_credentials_sends_once_they_are_right(database_url: str, tmp_path: Path) -> None:
    async with running({"numbers": [{"address": OURS}], "phones": []}) as handset:
        account = {"sid": handset.account_sid, "auth_token": "wrong", "api_url": handset.base_url}
        async with a_house(database_url, tmp_path) as (house, parts, door):
            house.start_roads()
            agent = (await done(door, "PUT", "/overture/v1/agents", {"text": AGENT}))["id"]
            await done(door, "POST", "/overture/v1/accounts", account)
            sender = {"account_sid": handset.account_sid, "channel": "sms", "address": OURS}
            await done(door, "POST", "/overture/v1/senders", sender)
            assert await handset.messages() == []
            await done(door, "POST", "/overture/v1/accounts", {**account, "auth_token": handset.auth_token})
            await write_to(door, handset, agent, PHONES[0])
            assert parts.accounts.of_settings() == ()


async def test_another_process_follows_within_seconds(postgresql_url: str, tmp_path: Path) -> None:
    sid = "AC" + "7" * 32
    async with (
        a_house(postgresql_url, tmp_path / "one") as (_, _, door),
        a_house(postgresql_url, tmp_path / "two", OVERTURE_ROLE="api") as (other, parts, _),
        running({"numbers": [], "phones": []}) as handset,
    ):
        known = parts.accounts
        assert isinstance(known, TwilioAccounts)
        await done(door, "POST", "/overture/v1/accounts", {"sid": sid, "auth_token": "first"})

        async def follows() -> bool:
            return sid in known

        await handset.wait_for(follows, 5)
        assert (await door.delete(f"/overture/v1/accounts/{sid}")).status == 204

        async def forgets() -> bool:
            return sid not in known

        await handset.wait_for(forgets, 5)
        assert await other.store.read(credentials.list_everywhere) == []


def test_a_key_is_made_only_where_one_process_has_the_database(tmp_path: Path) -> None:
    given = {"OVERTURE_DATA": str(tmp_path), "OVERTURE_DATABASE_URL": "postgresql://overture@db/overture"}
    with pytest.raises(Misconfigured, match="no key"):
        open_vault(settings.read(given)).seal("a token", ("a", "place"))
    assert list(tmp_path.iterdir()) == []
    assert open_vault(settings.read({**given, "OVERTURE_SECRETS_KEY": KEY})).seal("a token", ("a", "place"))
    del given["OVERTURE_DATABASE_URL"]
    open_vault(settings.read(given)).seal("a token", ("a", "place"))
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.key"]
