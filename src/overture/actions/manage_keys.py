"""Make and revoke API keys."""

import secrets
from collections.abc import Collection
from datetime import datetime

from msgspec import Struct

from overture.domain import access
from overture.domain.access import KeyParts, Scope
from overture.store import api_keys
from overture.store.engine import Writing


class CreatedKey(Struct, frozen=True, kw_only=True):
    """A new key. `text` is shown to its owner now and never again."""

    kid: str
    text: str


def make_key() -> KeyParts:
    """A key's name and secret, from the system's randomness."""
    return KeyParts(kid=_draw(access.KID_LENGTH), secret=_draw(access.SECRET_LENGTH))


async def create_key(
    tx: Writing,
    *,
    workspace_id: str,
    name: str,
    scopes: Collection[Scope],
    now: datetime,
    expires_at: datetime | None = None,
) -> CreatedKey:
    """Keep a new key of a workspace; the caller commits."""
    parts = make_key()
    key = api_keys.ApiKey(
        kid=parts.kid,
        workspace_id=workspace_id,
        secret_sha256=access.fingerprint(parts.secret),
        scopes=frozenset(scopes),
        name=name,
        created_at=now,
        expires_at=expires_at,
    )
    if not await api_keys.insert(tx, key):  # one in 62 ** 10
        return await create_key(tx, workspace_id=workspace_id, name=name, scopes=scopes, now=now, expires_at=expires_at)
    return CreatedKey(kid=parts.kid, text=access.write_key(parts))


async def revoke_key(tx: Writing, *, workspace_id: str, kid: str, now: datetime) -> datetime | None:
    """Take a key out of use; since when it is (a second time changes nothing), None where there is no such key."""
    return await api_keys.revoke(tx, workspace_id, kid, now)


def _draw(length: int) -> str:
    return "".join(secrets.choice(access.ALPHABET) for _ in range(length))
