"""The server's books: what stands in its database, read from outside by connections of the harness's own."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import Any, Final

import asyncpg
import msgspec
from msgspec import Struct

from overture.domain.message import Body, Template, Text
from overture.store.engine import instant, instant_or_none
from tests.crash import script
from tests.crash.record import Conversation, Line, Tried

_DUE: Final = (
    "SELECT 'outbox ' || state || ' ' || message_id FROM outbox WHERE state <> 'needs_review'",
    "SELECT 'inbox ' || kind || ' ' || unique_key FROM inbox WHERE due_at IS NOT NULL",
    "SELECT 'turn of ' || id FROM conversation WHERE turn_due_at IS NOT NULL AND mode <> 'ended'",
)
_STRANDED: Final = ("SELECT state || ' ' || unique_key FROM inbox WHERE state IN ('parked', 'unrouted')",)
_HEARD: Final = ("SELECT provider_sid FROM message WHERE direction = 'in'",)
_CONVERSATIONS: Final = """
    SELECT c.id, t.contact_address, c.channel, c.mode, c.end_reason,
        (SELECT min(e.at) FROM event e WHERE e.conversation_id = c.id AND e.kind = 'conversation.handed_over')
    FROM conversation c JOIN thread t ON t.id = c.thread_id ORDER BY c.created_at, c.id
"""
_LINES: Final = """
    SELECT id, conversation_id, seq, direction, author, status, created_at, reason, provider_sid, possible_duplicate,
        body
    FROM message ORDER BY conversation_id, seq
"""
_ATTEMPTS: Final = "SELECT message_id, number, state, started_at, sid FROM attempt ORDER BY message_id, number"
_SECOND_SIDS: Final = "SELECT message_id, sid FROM second_sid ORDER BY message_id, seen_at"
_OPT_OUTS: Final = """
    SELECT c.address, min(k.at) FROM consent k JOIN contact c ON c.id = k.contact_id
    WHERE k.change = 'opt_out' AND c.alias_of IS NULL GROUP BY c.address
"""
_body: Final = msgspec.json.Decoder(Body).decode
Rows = Sequence[Sequence[Any]]


class Books(Struct, frozen=True, kw_only=True):
    """Everything that a record takes from the server. `opt_outs`: each contact's first, by address."""

    conversations: tuple[Conversation, ...]
    lines: tuple[Line, ...]
    attempts: tuple[Tried, ...]
    opt_outs: dict[str, datetime]


class Reader:
    """Reads one database; on PostgreSQL over a connection that is made anew whenever it was lost."""

    def __init__(self, database_url: str) -> None:
        self._database_url: Final = database_url
        self._connection: Any = None

    async def due(self) -> list[str]:
        """What the server has still to do. Raises OSError or asyncpg's errors while the database is away."""
        return [str(row[0]) for rows in await self._ask(_DUE) for row in rows]

    async def heard(self) -> set[str]:
        """The SIDs of the contacts' lines that the server has."""
        return {str(row[0]) for rows in await self._ask(_HEARD) for row in rows}

    async def stranded(self) -> list[str]:
        """What the server could make nothing of and has put aside."""
        return [str(row[0]) for rows in await self._ask(_STRANDED) for row in rows]

    async def read(self) -> Books:
        """The books as they stand."""
        return _books(await self._ask((_CONVERSATIONS, _LINES, _ATTEMPTS, _SECOND_SIDS, _OPT_OUTS)))

    async def close(self) -> None:
        """Let go of the database."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _ask(self, texts: Sequence[str]) -> list[Rows]:
        """The rows of each query, all of one picture of the database."""
        if self._database_url.startswith("sqlite:///"):
            return await asyncio.to_thread(_ask_sqlite, self._database_url.removeprefix("sqlite:///"), texts)
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(self._database_url, timeout=30)
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            return [await self._connection.fetch(text) for text in texts]


def _books(found: list[Rows]) -> Books:
    conversations, lines, attempts, second, opt_outs = found
    sids: dict[str, list[str]] = {}
    for message_id, sid in [*((row[0], row[4]) for row in attempts), *second]:
        if sid is not None and sid not in sids.setdefault(message_id, []):
            sids[message_id].append(sid)
    return Books(
        conversations=tuple(
            Conversation(
                id=row[0],
                contact=row[1],
                channel=row[2],
                mode=row[3],
                end_reason=row[4],
                handed_over_at=instant_or_none(row[5]),
            )
            for row in conversations
        ),
        lines=tuple(_line(row, sids.get(row[0], ())) for row in lines),
        attempts=tuple(
            Tried(message_id=row[0], number=row[1], state=row[2], started_at=instant(row[3]), sid=row[4])
            for row in attempts
        ),
        opt_outs={row[0]: instant(row[1]) for row in opt_outs},
    )


def _line(row: Sequence[Any], sids: Sequence[str]) -> Line:
    return Line(
        id=row[0],
        conversation_id=row[1],
        seq=row[2],
        inbound=row[3] == "in",
        author=row[4],
        status=row[5],
        at=instant(row[6]),
        reason=row[7],
        sid=row[8],
        possible_duplicate=bool(row[9]),
        text=_text(_body(row[10])),
        sids=tuple(sids),
    )


def _text(body: Text | Template) -> str:
    """What the contact reads: the script has one template."""
    match body:
        case Text(text=text):
            return text
        case Template(variables=variables):
            return script.TEMPLATE_BODY.replace("{{1}}", variables.get("1", ""))


def _ask_sqlite(path: str, texts: Sequence[str]) -> list[Rows]:
    """`mode=ro`: this connection never writes the log back, which is the server's alone to do."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5, isolation_level=None)) as connection:
        connection.execute("BEGIN")
        return [connection.execute(text).fetchall() for text in texts]
