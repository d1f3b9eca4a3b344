"""Stored API keys: never the secret, only its fingerprint (see `domain/access.py`)."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.access import Scope
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored, stored_or_none
from overture.store.statement import Command, Query, Row

_COLUMNS: Final = "kid, workspace_id, secret_sha256, scopes, name, created_at, expires_at, revoked_at"
_INSERT: Final = Command(
    """
    INSERT INTO api_key (kid, workspace_id, secret_sha256, scopes, name, created_at, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING kid
    """
)
_FIND: Final = Query(f"SELECT {_COLUMNS} FROM api_key WHERE kid = $1")
_LIST: Final = Query(f"SELECT {_COLUMNS} FROM api_key WHERE workspace_id = $1 ORDER BY created_at, kid")
_REVOKE: Final = Command(
    "UPDATE api_key SET revoked_at = coalesce(revoked_at, $3) WHERE workspace_id = $1 AND kid = $2 RETURNING revoked_at"
)


class ApiKey(Struct, frozen=True, kw_only=True):
    """A key as it is on record."""

    kid: str
    workspace_id: str
    secret_sha256: str
    scopes: frozenset[Scope]
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def is_valid(self, now: datetime) -> bool:
        """Whether it still opens anything."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


async def insert(tx: Writing, key: ApiKey) -> bool:
    """Keep a new key; whether its kid was free."""
    rows = await tx.run(
        _INSERT,
        key.kid,
        key.workspace_id,
        key.secret_sha256,
        " ".join(sorted(key.scopes)),
        key.name,
        stored(key.created_at),
        stored_or_none(key.expires_at),
    )
    return bool(rows)


async def find(tx: Reading, kid: str) -> ApiKey | None:
    """A key by its name, of whatever workspace: the key is what tells the workspace."""
    row = await tx.one(_FIND, kid)
    return None if row is None else _key(row)


async def list_all(tx: Reading, workspace_id: str) -> list[ApiKey]:
    """The keys of a workspace, revoked ones included, oldest first."""
    return [_key(row) for row in await tx.all(_LIST, workspace_id)]


async def revoke(tx: Writing, workspace_id: str, kid: str, now: datetime) -> datetime | None:
    """Take a key out of use; since when it is, None where the workspace has no such key."""
    rows = await tx.run(_REVOKE, workspace_id, kid, stored(now))
    return instant(rows[0][0]) if rows else None


def _key(row: Row) -> ApiKey:
    return ApiKey(
        kid=row[0],
        workspace_id=row[1],
        secret_sha256=row[2],
        scopes=frozenset(Scope(word) for word in row[3].split()),
        name=row[4],
        created_at=instant(row[5]),
        expires_at=instant_or_none(row[6]),
        revoked_at=instant_or_none(row[7]),
    )
