"""Stored agents and their versions. A version never changes, so its decoded form is kept in memory."""

import contextlib
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import msgspec
from msgspec import Struct

from overture.domain.agent import Agent, AgentSpec
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, RowsQuery

_SAVE: Final = Command(
    """
    INSERT INTO agent (workspace_id, id, name, version, details, created_at, updated_at)
    VALUES ($1, $2, $3, 1, $4, $5, $5)
    ON CONFLICT (workspace_id, id) DO UPDATE SET
        name = excluded.name, version = agent.version + 1, details = excluded.details,
        updated_at = excluded.updated_at, deleted_at = NULL
    RETURNING version
    """
)
_SAVE_VERSION: Final = Command(
    "INSERT INTO agent_version (workspace_id, agent_id, version, spec, created_at) VALUES ($1, $2, $3, $4, $5)"
)
_CURRENT: Final = RowsQuery(
    {"workspace_id": "text", "id": "text"},
    """
    SELECT agent.workspace_id, agent.id, agent.version, agent_version.spec
    FROM rows
    JOIN agent ON agent.workspace_id = rows.workspace_id AND agent.id = rows.id
    JOIN agent_version ON agent_version.workspace_id = agent.workspace_id AND agent_version.agent_id = agent.id
        AND agent_version.version = agent.version
    WHERE agent.deleted_at IS NULL
    """,
)
_VERSIONS: Final = RowsQuery(
    {"workspace_id": "text", "id": "text", "version": "int"},
    """
    SELECT agent_version.workspace_id, agent_version.agent_id, agent_version.version, agent_version.spec
    FROM rows JOIN agent_version ON agent_version.workspace_id = rows.workspace_id
        AND agent_version.agent_id = rows.id AND agent_version.version = rows.version
    """,
)
_RECORD: Final = """
    SELECT agent.id, agent.name, agent.version, agent.details, agent.created_at, agent.updated_at, agent_version.spec
    FROM agent JOIN agent_version ON agent_version.workspace_id = agent.workspace_id
        AND agent_version.agent_id = agent.id AND agent_version.version = agent.version
    WHERE agent.workspace_id = $1 AND agent.deleted_at IS NULL
"""
_GET: Final = Query(f"{_RECORD} AND agent.id = $2")
_LIST: Final = Query(f"{_RECORD} ORDER BY agent.created_at DESC, agent.id LIMIT $2 OFFSET $3")
_COUNT: Final = Query("SELECT count(*) FROM agent WHERE workspace_id = $1 AND deleted_at IS NULL")
_DELETE: Final = Command(
    "UPDATE agent SET deleted_at = $3 WHERE workspace_id = $1 AND id = $2 AND deleted_at IS NULL RETURNING id"
)

_encode: Final = msgspec.json.Encoder().encode
_decoder: Final = msgspec.json.Decoder(AgentSpec)


class AgentRecord(Struct, frozen=True, kw_only=True):
    """An agent with what its author sent: `details` are the fields as given, kept and echoed."""

    agent: Agent
    name: str
    details: dict[str, Any]
    created_at: datetime
    updated_at: datetime


async def save(
    tx: Writing, workspace_id: str, agent_id: str, spec: AgentSpec, details: dict[str, Any], now: datetime
) -> int:
    """Keep a new version of an agent (its first, where it is new); the version's number."""
    at = stored(now)
    rows = await tx.run(_SAVE, workspace_id, agent_id, spec.name, _encode(details).decode(), at)
    version: int = rows[0][0]
    await tx.run(_SAVE_VERSION, workspace_id, agent_id, version, _encode(spec).decode(), at)
    return version


async def find_current(tx: Reading, asked: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Agent]:
    """The current versions of (workspace, agent) pairs."""
    rows = await tx.all_of(_CURRENT, sorted(set(asked)))
    return {(row[0], row[1]): Agent(id=row[1], version=row[2], spec=_spec(row[3])) for row in rows}


async def find_versions(tx: Reading, asked: Iterable[tuple[str, str, int]]) -> dict[tuple[str, str, int], Agent]:
    """Given versions of agents, deleted ones included: a conversation keeps the version it began with."""
    found = {}
    for row in await tx.all_of(_VERSIONS, sorted(set(asked))):
        with contextlib.suppress(msgspec.MsgspecError):  # one that a later version wrote: its conversations wait
            found[row[0], row[1], row[2]] = Agent(id=row[1], version=row[2], spec=_spec(row[3]))
    return found


async def find(tx: Reading, workspace_id: str, agent_id: str) -> AgentRecord | None:
    """One agent, as its author sees it."""
    row = await tx.one(_GET, workspace_id, agent_id)
    return None if row is None else _record(row)


async def list_page(tx: Reading, workspace_id: str, *, limit: int, offset: int) -> tuple[list[AgentRecord], int]:
    """A page of agents, newest first, and how many there are in all."""
    rows = await tx.all(_LIST, workspace_id, limit, offset)
    count = await tx.one(_COUNT, workspace_id)
    return [_record(row) for row in rows], count[0] if count is not None else 0


async def delete(tx: Writing, workspace_id: str, agent_id: str, now: datetime) -> bool:
    """Take an agent out of use; whether it was there."""
    return bool(await tx.run(_DELETE, workspace_id, agent_id, stored(now)))


@lru_cache(maxsize=1024)
def _spec(text: str) -> AgentSpec:
    spec: AgentSpec = _decoder.decode(text)
    return spec


def _record(row: Any) -> AgentRecord:
    return AgentRecord(
        agent=Agent(id=row[0], version=row[2], spec=_spec(row[6])),
        name=row[1],
        details=msgspec.json.decode(row[3]),
        created_at=instant(row[4]),
        updated_at=instant(row[5]),
    )
