"""Stored credentials of provider accounts that were set up over the API. Every secret is sealed, bound to its row."""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.account import Urls
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, Row

SECRETS: Final = ("auth_token", "second_auth_token", "api_key_sid", "api_key_secret")
"""The fields that are sealed."""

TABLE: Final = "provider_account"

_COLUMNS: Final = """
    workspace_id, sid, name, parent_sid, region, edge, api_url, content_url, messaging_url, media_url,
    auth_token, second_auth_token, api_key_sid, api_key_secret, created_at, changed_at
"""
_ALL: Final = Query(f"SELECT {_COLUMNS} FROM provider_account WHERE origin = 'api' ORDER BY sid")
_LIST: Final = Query(f"SELECT {_COLUMNS} FROM provider_account WHERE workspace_id = $1 AND origin = 'api' ORDER BY sid")
_FIND: Final = Query(f"SELECT {_COLUMNS} FROM provider_account WHERE workspace_id = $1 AND sid = $2 AND origin = 'api'")
_LOCK: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM provider_account WHERE workspace_id = $1 AND sid = $2 AND origin = 'api' /*pg: FOR UPDATE */
    """
)
_IS_TAKEN: Final = Query(
    """
    SELECT 1 FROM sender WHERE account_sid = $2 AND workspace_id <> $1
    UNION ALL
    SELECT 1 FROM provider_account WHERE sid = $2 AND workspace_id <> $1 AND origin = 'api'
    LIMIT 1
    """
)
_HAS_SENDERS: Final = Query(
    "SELECT 1 FROM sender WHERE workspace_id = $1 AND account_sid = $2 AND removed_at IS NULL LIMIT 1"
)
_ADD: Final = Command(
    """
    INSERT INTO provider_account (workspace_id, sid, created_at, origin) VALUES ($1, $2, $3, 'api')
    ON CONFLICT DO NOTHING
    """
)
_CLAIM: Final = Command(
    """
    UPDATE provider_account SET origin = 'api'
    WHERE workspace_id = $1 AND sid = $2 AND NOT EXISTS (
        SELECT 1 FROM provider_account other WHERE other.sid = $2 AND other.workspace_id <> $1 AND other.origin = 'api'
    )
    RETURNING sid
    """
)
_SAVE: Final = Command(
    """
    UPDATE provider_account SET name = $3, parent_sid = $4, region = $5, edge = $6, api_url = $7, content_url = $8,
        messaging_url = $9, media_url = $10, auth_token = $11, second_auth_token = $12, api_key_sid = $13,
        api_key_secret = $14, changed_at = $15
    WHERE workspace_id = $1 AND sid = $2 AND origin = 'api'
    """
)
_REMOVE: Final = Command(
    """
    UPDATE provider_account SET origin = 'settings', name = NULL, parent_sid = NULL, region = NULL, edge = NULL,
        api_url = NULL, content_url = NULL, messaging_url = NULL, media_url = NULL, auth_token = NULL,
        second_auth_token = NULL, api_key_sid = NULL, api_key_secret = NULL, changed_at = $3
    WHERE workspace_id = $1 AND sid = $2 AND origin = 'api' RETURNING sid
    """
)
_RESUME: Final = Command(
    """
    UPDATE sender SET stopped_at = NULL, stopped_because = NULL
    WHERE workspace_id = $1 AND account_sid = $2 AND removed_at IS NULL
    """
)


class StoredAccount(Struct, frozen=True, kw_only=True):
    """An account of the API as it is on record; what is among `SECRETS` is sealed, None where it is not set.

    `region` and `edge` are what `urls` were made of, where they were.
    """

    workspace_id: str
    sid: str
    name: str | None
    parent_sid: str | None
    region: str | None
    edge: str | None
    urls: Urls
    auth_token: str | None
    second_auth_token: str | None
    api_key_sid: str | None
    api_key_secret: str | None
    created_at: datetime
    changed_at: datetime

    def place_of(self, field: str) -> tuple[str, ...]:
        """Where a secret of it belongs, for the vault."""
        return place_of(self.workspace_id, self.sid, field)

    def __repr__(self) -> str:
        return f"StoredAccount(workspace_id={self.workspace_id!r}, sid={self.sid!r})"


def place_of(workspace_id: str, sid: str, field: str) -> tuple[str, ...]:
    """Where a secret belongs, for the vault."""
    return (TABLE, workspace_id, sid, field)


async def list_everywhere(tx: Reading) -> list[StoredAccount]:
    """The accounts of every workspace."""
    return [_account(row) for row in await tx.all(_ALL)]


async def list_all(tx: Reading, workspace_id: str) -> list[StoredAccount]:
    """The accounts of a workspace."""
    return [_account(row) for row in await tx.all(_LIST, workspace_id)]


async def find(tx: Reading, workspace_id: str, sid: str) -> StoredAccount | None:
    """An account of a workspace."""
    row = await tx.one(_FIND, workspace_id, sid)
    return None if row is None else _account(row)


async def lock(tx: Writing, workspace_id: str, sid: str) -> StoredAccount | None:
    """As `find`, held until the commit."""
    row = await tx.one(_LOCK, workspace_id, sid)
    return None if row is None else _account(row)


async def is_taken(tx: Reading, workspace_id: str, sid: str) -> bool:
    """Whether another workspace has an account, or ever had a sender at it."""
    return await tx.one(_IS_TAKEN, workspace_id, sid) is not None


async def has_senders(tx: Reading, workspace_id: str, sid: str) -> bool:
    """Whether any sender of an account is in use."""
    return await tx.one(_HAS_SENDERS, workspace_id, sid) is not None


async def claim(tx: Writing, workspace_id: str, sid: str, now: datetime) -> bool:
    """Make an account one of the API's, in this workspace; False where another has it."""
    await tx.run(_ADD, workspace_id, sid, stored(now))
    return bool(await tx.run(_CLAIM, workspace_id, sid))


async def save(tx: Writing, account: StoredAccount) -> None:
    """Keep an account that was claimed, whole."""
    await tx.run(
        _SAVE,
        account.workspace_id,
        account.sid,
        account.name,
        account.parent_sid,
        account.region,
        account.edge,
        account.urls.api,
        account.urls.content,
        account.urls.messaging,
        account.urls.media,
        account.auth_token,
        account.second_auth_token,
        account.api_key_sid,
        account.api_key_secret,
        stored(account.changed_at),
    )


async def remove(tx: Writing, workspace_id: str, sid: str, now: datetime) -> bool:
    """Forget an account's credentials; how far it was swept stays. Whether there were any."""
    return bool(await tx.run(_REMOVE, workspace_id, sid, stored(now)))


async def resume_senders(tx: Writing, workspace_id: str, sid: str) -> None:
    """Let the senders of an account try again that were stopped."""
    await tx.run(_RESUME, workspace_id, sid)


def _account(row: Row) -> StoredAccount:
    usual = Urls()
    return StoredAccount(
        workspace_id=row[0],
        sid=row[1],
        name=row[2],
        parent_sid=row[3],
        region=row[4],
        edge=row[5],
        urls=Urls(
            api=row[6] or usual.api,
            content=row[7] or usual.content,
            messaging=row[8] or usual.messaging,
            media=row[9] or usual.media,
        ),
        auth_token=row[10],
        second_auth_token=row[11],
        api_key_sid=row[12],
        api_key_secret=row[13],
        created_at=instant(row[14]),
        changed_at=instant(row[14] if row[15] is None else row[15]),
    )
