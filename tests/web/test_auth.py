"""Who passes: keys in two headers, the exact words of a refusal, scopes, revocation, and guessing."""

from collections.abc import Callable

import pytest

from overture.actions.manage_keys import make_key, revoke_key
from overture.domain.access import KeyParts, Scope, parse_key, write_key
from tests.web.conftest import WORKSPACE, World

PATH = "/metrics"
MISSING = "Missing or invalid Authorization header"
WRONG = "Unauthorized: Invalid or expired token."
UNKNOWN_KEY = write_key(KeyParts(kid="A" * 10, secret="b" * 43))


def test_a_key_reads_back_as_it_was_written() -> None:
    parts = make_key()
    text = write_key(parts)
    assert parse_key(text) == parts
    assert len(text) == len("ovt_live_") + 10 + 1 + 43 + 6
    assert make_key() != parts


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "0", lambda k: k[:-1] + "-", lambda k: k.upper()])
def test_a_mistyped_key_is_none(change: Callable[[str], str]) -> None:
    assert parse_key(change(write_key(make_key()))) is None


@pytest.mark.parametrize(
    ("headers", "description"),
    [
        ({}, MISSING),
        ({"authorization": ""}, MISSING),
        ({"authorization": "Bearer"}, MISSING),
        ({"authorization": "Bearer  "}, MISSING),
        ({"authorization": "Basic abc"}, MISSING),
        ({"authorization": "nonsense", "x-user-api-key": "GOOD"}, MISSING),
        ({"authorization": "Bearer nonsense"}, WRONG),
        ({"authorization": "Bearer caf\xe9"}, WRONG),
        ({"authorization": f"Bearer {UNKNOWN_KEY}"}, WRONG),
        ({"authorization": "Bearer nonsense", "x-user-api-key": "GOOD"}, WRONG),
        ({"x-user-api-key": "nonsense"}, WRONG),
        ({"x-user-api-key": " "}, MISSING),
    ],
)
async def test_who_has_no_key_is_told_so_in_the_known_words(
    world: World, headers: dict[str, str], description: str
) -> None:
    key = await world.key(Scope.READ)
    sent = {name: value.replace("GOOD", key) for name, value in headers.items()}
    reply = await world.client.with_key(None).get(PATH, headers=sent)
    assert reply.status == 401
    assert reply.detail["description"] == description
    assert reply.headers["www-authenticate"].startswith("Bearer")


async def test_a_key_passes_in_either_header(world: World) -> None:
    key = await world.key(Scope.READ)
    for headers in ({"Authorization": f"Bearer {key}"}, {"authorization": f"bearer  {key}"}, {"X-User-Api-Key": key}):
        assert (await world.client.with_key(None).get(PATH, headers=headers)).status == 200


async def test_a_right_name_with_a_wrong_secret_is_refused(world: World) -> None:
    parts = parse_key(await world.key(Scope.READ))
    assert parts is not None
    forged = write_key(KeyParts(kid=parts.kid, secret="c" * 43))
    assert (await world.client.with_key(forged).get(PATH)).status == 401


async def test_a_key_in_the_url_is_refused_even_beside_a_good_one(world: World) -> None:
    key = await world.key(Scope.READ)
    reply = await world.client.get(f"{PATH}?api_key={key}")
    assert (reply.status, reply.detail["code"]) == (401, "key_in_url")
    assert key not in reply.body.decode()


@pytest.mark.parametrize(
    ("scope", "status"), [(Scope.READ, 200), (Scope.SEND, 403), (Scope.WRITE, 403), (Scope.ADMIN, 200)]
)
async def test_a_key_may_what_its_scopes_say(world: World, scope: Scope, status: int) -> None:
    reply = await world.client.with_key(await world.key(scope)).get(PATH)
    assert reply.status == status
    if status == 403:
        assert reply.detail["code"] == "scope_missing"


async def test_a_revoked_key_is_refused(world: World) -> None:
    key = await world.key(Scope.READ)
    parts = parse_key(key)
    assert parts is not None
    assert (await world.client.with_key(key).get(PATH)).status == 200
    await world.store.write(lambda tx: revoke_key(tx, workspace_id=WORKSPACE, kid=parts.kid, now=world.store.now()))
    world.parts.keys.forget(parts.kid)
    assert (await world.client.with_key(key).get(PATH)).status == 401


async def test_guessing_is_stopped_for_an_address_but_not_for_its_known_keys(world: World) -> None:
    key = await world.key(Scope.READ)
    there = world.client.with_key(key, address="198.51.100.7")
    assert (await there.get(PATH)).status == 200
    guesser = world.client.with_key(UNKNOWN_KEY, address="198.51.100.7")
    assert [(await guesser.get(PATH)).status for _ in range(12)] == [401] * 10 + [429] * 2
    refused = await guesser.get(PATH)
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert (await world.client.with_key(make_text(), address="198.51.100.7").get(PATH)).status == 429
    assert (await there.get(PATH)).status == 200
    assert (await world.client.with_key(UNKNOWN_KEY, address="198.51.100.8").get(PATH)).status == 401


def make_text() -> str:
    """A well-formed key that nobody made."""
    return write_key(make_key())


async def test_the_owner_of_the_socket_needs_no_key(world: World) -> None:
    assert (await world.operator.get(PATH)).status == 200
