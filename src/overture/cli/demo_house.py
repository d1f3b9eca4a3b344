"""The demo's own Overture: its settings, its key, and the consent of the people who take part."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final

import msgspec

from overture.actions import change_consent, manage_keys
from overture.bootstrap import House
from overture.cli import demo_handset, telling
from overture.cli.demo_scene import SENDER, Cast
from overture.cli.demo_server import Orders
from overture.domain import access
from overture.domain.access import DEFAULT_WORKSPACE, KeyParts, Scope
from overture.domain.channel import Channel
from overture.settings import Settings
from overture.store import api_keys, contacts, senders
from overture.store.engine import Writing

HOST: Final = "127.0.0.1"
_QUIET_SECONDS: Final = 1.0  # long enough to see a burst answered once, short enough to watch
_QUIET_SECONDS_ONCE: Final = 0.2  # a script writes no bursts


def orders(data: Path, *, port: int, handset_url: str, once: bool, own: Settings) -> Orders:
    """Everything set for the demo; of the operator's own settings only the models count, and what tools may reach.

    The operator's accounts and senders must never meet a demo, so no file of theirs is read here.
    """
    return Orders(
        environment={
            "OVERTURE_DATA": str(data),
            "OVERTURE_HOST": HOST,
            "OVERTURE_PORT": str(port),
            "OVERTURE_PUBLIC_URL": f"http://{HOST}:{port}",
            "OVERTURE_TWILIO_ACCOUNT_SID": demo_handset.ACCOUNT_SID,
            "OVERTURE_TWILIO_AUTH_TOKEN": demo_handset.AUTH_TOKEN,
            "OVERTURE_TWILIO_BASE_URL": handset_url,
            "OVERTURE_SENDERS": f"sms:{SENDER},whatsapp:{SENDER}",
            "OVERTURE_QUIET_SECONDS": str(_QUIET_SECONDS_ONCE if once else _QUIET_SECONDS),
            "OVERTURE_TOOLS_MAY_REACH": ",".join(own.tools_may_reach),
            "OVERTURE_LOG_LEVEL": os.environ.get("OVERTURE_LOG_LEVEL", "") or "warning",
        },
        models=own.models,
    )


def find_key(data: Path, given: str | None) -> str:
    """The key to print: the given one, else the folder's own, which is made the first time. Raises Stop."""
    if given is not None:
        if access.parse_key(given) is None:
            telling.stop(
                f"--api-key: this is no key: one begins with {access.PREFIX} and has a check at its end.",
                hint="Leave it out, and the demo makes one.",
                status=telling.MISUSED,
            )
        return given
    file = data / "demo-api-key"
    if file.exists() and access.parse_key(kept := file.read_text().strip()) is not None:
        return kept
    made = access.write_key(manage_keys.make_key())
    file.touch(mode=0o600)
    file.write_text(made + "\n")
    return made


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """By phone, the word that opens each window that was not open; and whose STOP of earlier was lifted."""

    words: dict[str, str]
    stopped: tuple[str, ...]


async def prepare(set_up: Settings, key: str, people: Collection[Cast], closed: Collection[Cast]) -> Prepared:
    """Keep the key and let everybody be written to again, those of `closed` windows by a word of theirs.

    Somebody who took part before is opted out until they type START, so that the word opens the window and no
    conversation. Nothing serves meanwhile.
    """
    house = House(set_up)
    parts = access.parse_key(key)
    assert parts is not None
    try:
        await house.open()
        await house.store.write(lambda tx: _keep_key(tx, parts, house))

        async def agree(tx: Writing) -> Prepared:
            ours = await senders.list_active(tx, DEFAULT_WORKSPACE)
            await senders.see_webhooks(tx, [sender.id for sender in ours], house.store.now())  # the demo wired them
            words, stopped = {}, []
            for person in people:
                was_out = await _change_consent(tx, person, house, opted_out=person in closed)
                if person in closed:
                    words[person.phone] = "Hello" if was_out is None else "START"
                if was_out:
                    stopped.append(person.name)
            return Prepared(words=words, stopped=tuple(stopped))

        return await house.store.write(agree)
    finally:
        await house.close()


async def _keep_key(tx: Writing, parts: KeyParts, house: House) -> None:
    found = await api_keys.find(tx, parts.kid)
    key = api_keys.ApiKey(
        kid=parts.kid,
        workspace_id=DEFAULT_WORKSPACE,
        secret_sha256=access.fingerprint(parts.secret),
        scopes=frozenset({Scope.ADMIN}),
        name="demo",
        created_at=house.store.now(),
    )
    if found is None:
        await api_keys.insert(tx, key)
    elif found.secret_sha256 != key.secret_sha256 or not found.is_valid(key.created_at):
        telling.stop(
            f"The key {parts.kid} was revoked, or has another secret in this data folder.",
            hint="Give another --api-key, or remove demo-api-key from the data folder to have one made.",
        )


async def _change_consent(tx: Writing, person: Cast, house: House, *, opted_out: bool) -> bool | None:
    """Change it where it is not as wished; how it was, None where the contact is not known."""
    known = await contacts.find(tx, DEFAULT_WORKSPACE, person.number)
    if known is None:
        return None
    an_id, shard, was_out = known
    if was_out is not opted_out:
        change = change_consent.Change(
            workspace_id=DEFAULT_WORKSPACE,
            contact_id=an_id,
            contact_key=person.number,
            shard=shard,
            channel=Channel(person.channel).value,
            opted_out=opted_out,
            source="demo",
            evidence="the demo was started",
        )
        await change_consent.change_consents(tx, [change], house.store.now(), house.ids)
    return was_out
