"""Stored vectors of passages: claimed by base to be made, kept by batches, and read for a question."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.knowledge import Base, Passage
from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Command, Query, RowsCommand, RowsQuery

_ARE_WANTED: Final = Query("SELECT 1 FROM knowledge WHERE deleted_at IS NULL AND passages > 0 LIMIT 1")
_IN_SPACE: Final = Query("SELECT id FROM knowledge WHERE space = $1 AND deleted_at IS NULL")
_CLAIM: Final = Command(
    """
    UPDATE knowledge SET embed_due_at = $3, embed_tries = embed_tries + 1 WHERE id IN (
        SELECT id FROM knowledge
        WHERE embed_due_at <= $2 AND deleted_at IS NULL AND passages > 0
            AND (space IS NULL OR (space = $1 AND embedded < passages) OR (space <> $1 AND $4))
        ORDER BY embed_due_at LIMIT 1 /*pg: FOR UPDATE SKIP LOCKED */
    ) RETURNING workspace_id, id, name, version, space, embed_tries
    """
)
_LEAVE: Final = Command("UPDATE knowledge SET embed_due_at = 0, embed_tries = 0 WHERE workspace_id = $1 AND id = $2")
_ENTER: Final = Command("UPDATE knowledge SET space = $3, embedded = 0 WHERE workspace_id = $1 AND id = $2")
_FORGET: Final = Command(
    """
    DELETE FROM vector WHERE entry IN (
        SELECT p.entry FROM passage p JOIN knowledge k ON k.id = p.knowledge_id
        WHERE k.workspace_id = $1 AND p.knowledge_id = $2
    )
    """
)
_LACKING: Final = Query(
    """
    SELECT p.entry, p.number, p.title, p.body
    FROM knowledge k JOIN passage p ON p.knowledge_id = k.id LEFT JOIN vector v ON v.entry = p.entry
    WHERE k.workspace_id = $1 AND k.id = $2 AND k.version = $3 AND v.entry IS NULL
    ORDER BY p.number LIMIT $4
    """
)
# Held before anything is kept: a text that takes its place meanwhile would leave behind the vectors it does not see.
_HOLD: Final = Query(
    """
    SELECT 1 FROM knowledge
    WHERE workspace_id = $1 AND id = $2 AND version = $3 AND space = $4 AND deleted_at IS NULL /*pg: FOR UPDATE */
    """
)
_KEEP: Final = RowsCommand(
    {"entry": "bigint", "signs": "bytea", "numbers": "bytea"},
    """
    INSERT INTO vector (entry, signs, numbers)
    SELECT p.entry, rows.signs, rows.numbers
    FROM rows JOIN passage p ON p.entry = rows.entry JOIN knowledge k ON k.id = p.knowledge_id
    WHERE k.workspace_id = $1 AND k.id = $2 AND k.version = $3 AND k.space = $4
    ON CONFLICT (entry) DO NOTHING
    """,
)
_COUNT: Final = Command(
    """
    UPDATE knowledge SET embed_due_at = 0, embed_tries = 0, embedded = (
        SELECT count(*) FROM passage p JOIN vector v ON v.entry = p.entry WHERE p.knowledge_id = knowledge.id
    ) WHERE workspace_id = $1 AND id = $2 AND version = $3 AND space = $4
    """
)
_PUT_OFF: Final = Command("UPDATE knowledge SET embed_due_at = $4 WHERE workspace_id = $1 AND id = $2 AND version = $3")
_SIGNS: Final = Query(
    """
    SELECT p.number, v.signs FROM knowledge k JOIN passage p ON p.knowledge_id = k.id JOIN vector v ON v.entry = p.entry
    WHERE k.workspace_id = $1 AND k.id = $2 AND k.version = $3 AND k.space = $4
    """
)
# A join would walk every passage of the base for want of statistics; the set says that each is looked up by its number.
_NUMBERS: Final = RowsQuery(
    {"number": "int"},
    """
    SELECT p.number, p.title, p.body, v.numbers
    FROM knowledge k JOIN passage p ON p.knowledge_id = k.id JOIN vector v ON v.entry = p.entry
    WHERE k.workspace_id = $1 AND k.id = $2 AND k.version = $3 AND k.space = $4
        AND p.number IN (SELECT number FROM rows)
    """,
)


class ToEmbed(Struct, frozen=True, kw_only=True):
    """A base that is ours to embed for a while; `tries` counts this one."""

    workspace_id: str
    id: str
    name: str
    version: int
    tries: int


class Taken(Struct, frozen=True, kw_only=True):
    """A base that somebody else took into another space."""

    name: str
    space: str


class Lacking(Struct, frozen=True, kw_only=True):
    """A passage without a vector."""

    entry: int
    passage: Passage


class Vector(Struct, frozen=True, kw_only=True):
    """A passage's vector as it is kept; empty where there is none to be had."""

    entry: int
    signs: bytes
    numbers: bytes


async def are_wanted(tx: Reading) -> bool:
    """Whether there is any knowledge at all."""
    return await tx.one(_ARE_WANTED) is not None


async def list_in_space(tx: Reading, space: str) -> list[str]:
    """The bases that belong to a space."""
    return [row[0] for row in await tx.all(_IN_SPACE, space)]


async def claim(
    tx: Writing, space: str, now: datetime, lease_until: datetime, *, ours: Collection[str] | None
) -> ToEmbed | Taken | None:
    """A base that is due; nobody else takes it until the lease is over. Vectors of another space are gone then.

    `ours` are bases that the asker once had in its space: of one that is in another now it is told, and it stays there.
    Without any at all, what is in another space is left alone.
    """
    rows = await tx.run(_CLAIM, space, stored(now), stored(lease_until), ours is not None)
    for workspace_id, an_id, name, version, was, tries in rows:
        if was is not None and was != space and ours is not None and an_id in ours:
            await tx.run(_LEAVE, workspace_id, an_id)
            return Taken(name=name, space=was)
        if was != space:
            await forget(tx, workspace_id, an_id)
            await tx.run(_ENTER, workspace_id, an_id, space)
        return ToEmbed(workspace_id=workspace_id, id=an_id, name=name, version=version, tries=tries)
    return None


async def list_lacking(tx: Reading, claimed: ToEmbed, limit: int) -> list[Lacking]:
    """The first passages without a vector; none where the text has changed meanwhile."""
    rows = await tx.all(_LACKING, claimed.workspace_id, claimed.id, claimed.version, limit)
    return [Lacking(entry=row[0], passage=Passage(number=row[1], title=row[2], text=row[3])) for row in rows]


async def keep(tx: Writing, claimed: ToEmbed, space: str, made: Iterable[Vector]) -> None:
    """Keep what was made, unless the text has changed meanwhile, and let the base go on at once."""
    key = (claimed.workspace_id, claimed.id, claimed.version, space)
    if await tx.one(_HOLD, *key) is None:
        return
    await tx.run_rows(_KEEP, [(one.entry, one.signs, one.numbers) for one in made], *key)
    await tx.run(_COUNT, *key)


async def put_off(tx: Writing, claimed: ToEmbed, until: datetime) -> None:
    """Leave a base alone for a while."""
    await tx.run(_PUT_OFF, claimed.workspace_id, claimed.id, claimed.version, stored(until))


async def forget(tx: Writing, workspace_id: str, base_id: str) -> None:
    """Delete the vectors of a base, before its passages are."""
    await tx.run(_FORGET, workspace_id, base_id)


async def list_signs(tx: Reading, workspace_id: str, base: Base) -> dict[int, bytes]:
    """The signs of a base's vectors by the passage's number."""
    rows = await tx.all(_SIGNS, workspace_id, base.id, base.version, base.space)
    return {row[0]: bytes(row[1]) for row in rows}


async def list_numbers(
    tx: Reading, workspace_id: str, base: Base, wanted: Sequence[int]
) -> list[tuple[Passage, bytes]]:
    """Passages by their numbers, with their vectors."""
    rows = await tx.all_of(_NUMBERS, [(number,) for number in wanted], workspace_id, base.id, base.version, base.space)
    return [(Passage(number=row[0], title=row[1], text=row[2]), bytes(row[3])) for row in rows]
