"""Stored templates: what the provider was last heard to have. The provider's word always wins."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.domain.template import Approval, Known, Template
from overture.store.engine import Reading, Writing, instant, instant_or_none, stored
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery, insert

_SAVE: Final[RowsCommand] = insert(
    "template",
    {
        "content_sid": "text",
        "account_sid": "text",
        "workspace_id": "text",
        "name": "text",
        "language": "text",
        "approval": "text",
        "details": "text",
    },
    """
    ON CONFLICT (content_sid, account_sid, workspace_id) DO UPDATE SET
        name = excluded.name, language = excluded.language, approval = excluded.approval, details = excluded.details,
        fetched_at = excluded.fetched_at, gone_at = NULL
    WHERE template.fetched_at <= excluded.fetched_at
    """,
    same={"fetched_at": "$1"},
)
_MARK_GONE: Final = Command(
    """
    UPDATE template SET gone_at = coalesce(gone_at, $4), fetched_at = $4
    WHERE content_sid = $1 AND account_sid = $2 AND workspace_id = $3 AND fetched_at <= $4
    """
)
_MARK_UNSEEN: Final = Command(
    """
    UPDATE template SET gone_at = $3, fetched_at = $3
    WHERE workspace_id = $1 AND account_sid = $2 AND gone_at IS NULL AND fetched_at < $3 RETURNING content_sid
    """
)
_COLUMNS: Final = "template.details, template.fetched_at, template.gone_at"
_FIND: Final = RowsQuery(
    {"workspace_id": "text", "account_sid": "text", "content_sid": "text"},
    f"""
    SELECT {_COLUMNS}, template.workspace_id, template.account_sid, template.content_sid
    FROM rows JOIN template ON template.content_sid = rows.content_sid AND template.account_sid = rows.account_sid
        AND template.workspace_id = rows.workspace_id
    """,
)
_OF_SID: Final = Query(
    f"""
    SELECT {_COLUMNS} FROM template WHERE content_sid = $2 AND workspace_id = $1
    ORDER BY gone_at IS NOT NULL, fetched_at DESC LIMIT 1
    """
)
_FILTERED: Final = """
    FROM template WHERE workspace_id = $1 AND gone_at IS NULL
        AND (CAST($2 AS text) IS NULL OR approval = $2) AND (CAST($3 AS text) IS NULL OR language = $3)
        AND (CAST($4 AS text) IS NULL
            OR /*pg: strpos(lower(name), $4) */ /*sqlite: instr(lower(name), $4) */ > 0)
"""
_LIST: Final = Query(f"SELECT {_COLUMNS} {_FILTERED} ORDER BY name, content_sid LIMIT $5 OFFSET $6")
_COUNT: Final = Query(f"SELECT count(*) {_FILTERED}")
_LIST_ACCOUNTS: Final = Query("SELECT sid FROM provider_account WHERE workspace_id = $1 ORDER BY sid")
_CLAIM_DUE: Final = Command(
    """
    UPDATE provider_account SET templates_due_at = $2
    WHERE templates_due_at IS NULL OR templates_due_at <= $1 RETURNING workspace_id, sid
    """
)
_SET_DUE: Final = Command("UPDATE provider_account SET templates_due_at = $3 WHERE workspace_id = $1 AND sid = $2")

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Template).decode

Key = tuple[str, str, str]
"""Workspace, account and Content SID: two workspaces may share an account."""


async def save(tx: Writing, workspace_id: str, found: Sequence[Template], fetched_at: datetime) -> None:
    """Keep templates as they were fetched; one that was fetched later stays as it is."""
    rows = [
        (one.content_sid, one.account_sid, workspace_id, one.name, one.language, one.approval.value, _details(one))
        for one in found
    ]
    await tx.run_rows(_SAVE, rows, stored(fetched_at))


async def mark_gone(tx: Writing, workspace_id: str, account_sid: str, content_sid: str, at: datetime) -> None:
    """Record that the provider has a template no more, where it was known."""
    await tx.run(_MARK_GONE, content_sid, account_sid, workspace_id, stored(at))


async def mark_unseen(tx: Writing, workspace_id: str, account_sid: str, at: datetime) -> Sequence[str]:
    """Record that an account's templates which were last seen before an instant are gone; their SIDs."""
    return [row[0] for row in await tx.run(_MARK_UNSEEN, workspace_id, account_sid, stored(at))]


async def find(tx: Reading, asked: Iterable[Key]) -> dict[Key, Known]:
    """The templates of keys, gone ones too."""
    rows = await tx.all_of(_FIND, sorted(set(asked)))
    return {(row[3], row[4], row[5]): _known(row) for row in rows}


async def find_by_sid(tx: Reading, workspace_id: str, content_sid: str) -> Known | None:
    """A template of any account of a workspace: the one that is there, else the one that is gone."""
    row = await tx.one(_OF_SID, workspace_id, content_sid)
    return None if row is None else _known(row)


async def list_page(
    tx: Reading,
    workspace_id: str,
    *,
    approval: Approval | None = None,
    language: str | None = None,
    name: str | None = None,
    limit: int,
    offset: int,
) -> tuple[list[Known], int]:
    """A page of the templates that are there, by name, and how many there are in all. `name` is a part of it."""
    filters = (
        None if approval is None else approval.value,
        language,
        None if name is None else name.lower(),
    )
    rows = await tx.all(_LIST, workspace_id, *filters, limit, offset)
    count = await tx.one(_COUNT, workspace_id, *filters)
    return [_known(row) for row in rows], 0 if count is None else count[0]


async def list_accounts(tx: Reading, workspace_id: str) -> list[str]:
    """The provider accounts of a workspace."""
    return [row[0] for row in await tx.all(_LIST_ACCOUNTS, workspace_id)]


async def claim_due(tx: Writing, now: datetime, until: datetime) -> list[tuple[str, str]]:
    """Take up the (workspace, account) pairs whose templates are to be fetched; none is due again before `until`."""
    return [(row[0], row[1]) for row in await tx.run(_CLAIM_DUE, stored(now), stored(until))]


async def set_due(tx: Writing, workspace_id: str, account_sid: str, at: datetime) -> None:
    """When an account's templates are to be fetched next."""
    await tx.run(_SET_DUE, workspace_id, account_sid, stored(at))


def _details(one: Template) -> str:
    return _encode(one).decode()


def _known(row: Row) -> Known:
    return Known(template=_decode(row[0]), fetched_at=instant(row[1]), gone_at=instant_or_none(row[2]))
