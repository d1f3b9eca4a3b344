"""Stored knowledge bases, their passages, and the index that finds them by words.

The index is where the two engines differ: FTS5 on SQLite, a tsvector on PostgreSQL. Neither reads language: both are
given words that `agents.ranking` has made, and asked for beginnings of words, so that what people write reaches no
query syntax. A passage's words have its base's id among them, so a search walks over one base alone. What is found are
candidates; `agents.ranking` puts them in order.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from overture.agents import ranking
from overture.domain.knowledge import Base, Passage
from overture.store import vectors
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query, Row, RowsCommand, RowsQuery

CANDIDATES: Final = 100  # of one base: a hundred passages with a word of the question hold the best six

_BASE: Final = "id, name, version, hash, characters, passages, created_at, updated_at, space, embedded"
_LIVE: Final = "workspace_id = $1 AND deleted_at IS NULL"
_SAVE: Final = Command(
    f"""
    INSERT INTO knowledge (workspace_id, id, name, version, hash, body, characters, passages, created_at, updated_at)
    VALUES ($1, $2, $3, 1, $4, $5, $6, $7, $8, $8)
    ON CONFLICT (workspace_id, name) DO UPDATE SET
        version = knowledge.version + 1, hash = excluded.hash, body = excluded.body,
        characters = excluded.characters, passages = excluded.passages, deleted_at = NULL,
        created_at = CASE WHEN knowledge.deleted_at IS NULL THEN knowledge.created_at ELSE excluded.created_at END,
        updated_at = excluded.updated_at, embedded = 0, embed_due_at = 0, embed_tries = 0
    RETURNING {_BASE}
    """
)
_FIND: Final = Query(f"SELECT {_BASE} FROM knowledge WHERE {_LIVE} AND name = $2")
_LIST: Final = Query(f"SELECT {_BASE} FROM knowledge WHERE {_LIVE} ORDER BY name LIMIT $2 OFFSET $3")
_COUNT: Final = Query(f"SELECT count(*) FROM knowledge WHERE {_LIVE}")
_TEXT: Final = Query("SELECT body FROM knowledge WHERE workspace_id = $1 AND id = $2")
_OF_NAMES: Final = RowsQuery(
    {"name": "text"},
    """
    SELECT k.id, k.name, k.version, k.hash, k.characters, k.passages, k.created_at, k.updated_at,
        k.space, k.embedded
    FROM rows JOIN knowledge k ON k.workspace_id = $1 AND k.name = rows.name
    WHERE k.deleted_at IS NULL
    """,
)
_REMOVE: Final = Command(
    """
    UPDATE knowledge SET deleted_at = $3, body = '', hash = '', characters = 0, passages = 0, embedded = 0
    WHERE workspace_id = $1 AND name = $2 AND deleted_at IS NULL RETURNING id
    """
)
_FORGET_WORDS: Final = Command(
    """
    DELETE FROM passage_index WHERE /*pg: entry */ /*sqlite: rowid */ IN (
        SELECT p.entry FROM passage p JOIN knowledge k ON k.id = p.knowledge_id
        WHERE k.workspace_id = $1 AND p.knowledge_id = $2
    )
    """
)
_FORGET: Final = Command(
    """
    DELETE FROM passage WHERE knowledge_id IN (SELECT k.id FROM knowledge k WHERE k.workspace_id = $1 AND k.id = $2)
    """
)
_KEEP: Final = RowsCommand(
    {"number": "int", "title": "text", "body": "text"},
    """
    INSERT INTO passage (knowledge_id, number, title, body) SELECT $1, number, title, body FROM rows WHERE true
    RETURNING entry, number
    """,
)
_KEEP_WORDS: Final = RowsCommand(
    {"entry": "bigint", "words": "text"},
    """
    INSERT INTO passage_index (/*pg: entry */ /*sqlite: rowid */, words)
    SELECT entry, /*pg: array_to_tsvector(string_to_array(words, ' ')) */ /*sqlite: words */ FROM rows WHERE true
    """,
)
_PASSAGES: Final = Query(
    """
    SELECT p.number, p.title, p.body FROM knowledge k JOIN passage p ON p.knowledge_id = k.id
    WHERE k.workspace_id = $1 AND k.id = $2 ORDER BY p.number
    """
)
# $3 is the base's own word, $4 beginnings of words with spaces between: letters and digits, which quotes make harmless.
_CANDIDATES: Final = Query(
    """
    SELECT p.number, p.title, p.body
    FROM passage_index
    JOIN passage p ON p.entry = passage_index./*pg: entry */ /*sqlite: rowid */
    JOIN knowledge k ON k.id = p.knowledge_id
    WHERE k.workspace_id = $1 AND k.id = $2
        /*pg: AND passage_index.words @@ CAST(
            '''' || CAST($3 AS text) || ''' & (''' || replace($4, ' ', ''':* | ''') || ''':*)' AS tsquery
        ) */
        /*sqlite: AND passage_index MATCH '"' || $3 || '" AND ("' || replace($4, ' ', '"* OR "') || '"*)' */
    ORDER BY
        /*pg: ts_rank(passage_index.words, CAST('''' || replace($4, ' ', ''':* | ''') || ''':*' AS tsquery)) DESC */
        /*sqlite: bm25(passage_index) */, p.number
    LIMIT $5
    """
)


async def save(
    tx: Writing,
    workspace_id: str,
    *,
    new_id: str,
    name: str,
    digest: str,
    text: str,
    passages: Sequence[Passage],
    words: Sequence[Sequence[str]],
    now: datetime,
) -> Base:
    """Let a text be a base's next version, its passages in place of those that were. `words` are each passage's."""
    at = stored(now)
    [row] = await tx.run(_SAVE, workspace_id, new_id, name, digest, text, len(text), len(passages), at)
    base = _base(row)
    await _forget(tx, workspace_id, base.id)
    kept = await tx.run_rows(_KEEP, [(one.number, one.title, one.text) for one in passages], base.id)
    entries = {number: entry for entry, number in kept}
    mark = _word_of(base.id)
    told = [
        (entries[one.number], " ".join(dict.fromkeys((mark, *said)))) for one, said in zip(passages, words, strict=True)
    ]
    await tx.run_rows(_KEEP_WORDS, told)
    return base


async def remove(tx: Writing, workspace_id: str, name: str, now: datetime) -> bool:
    """Take a base away with its passages; whether it was there."""
    rows = await tx.run(_REMOVE, workspace_id, name, stored(now))
    for (an_id,) in rows:
        await _forget(tx, workspace_id, an_id)
    return bool(rows)


async def find(tx: Reading, workspace_id: str, name: str) -> Base | None:
    """One base by its name."""
    row = await tx.one(_FIND, workspace_id, name)
    return None if row is None else _base(row)


async def find_all(tx: Reading, workspace_id: str, names: Iterable[str]) -> list[Base]:
    """The bases of these names that there are, in the order of the names."""
    wanted = list(dict.fromkeys(names))
    found = {row[1]: _base(row) for row in await tx.all_of(_OF_NAMES, [(name,) for name in wanted], workspace_id)}
    return [found[name] for name in wanted if name in found]


async def list_page(tx: Reading, workspace_id: str, *, limit: int, offset: int) -> tuple[list[Base], int]:
    """A page of bases by name, and how many there are in all."""
    rows = await tx.all(_LIST, workspace_id, limit, offset)
    count = await tx.one(_COUNT, workspace_id)
    return [_base(row) for row in rows], count[0] if count is not None else 0


async def get_text(tx: Reading, workspace_id: str, base: Base) -> str:
    """A base's whole text, as it was brought."""
    row = await tx.one(_TEXT, workspace_id, base.id)
    text: str = "" if row is None else row[0]
    return text


async def list_passages(tx: Reading, workspace_id: str, base: Base) -> list[Passage]:
    """All passages of a base, in order."""
    return [_passage(row) for row in await tx.all(_PASSAGES, workspace_id, base.id)]


async def list_candidates(tx: Reading, workspace_id: str, base: Base, beginnings: Sequence[str]) -> list[Passage]:
    """Passages of a base with a word that begins like one of these, which are words of `ranking`'s making."""
    safe = [word for word in beginnings if ranking.words_of(word) == [word]]
    if not safe:
        return []
    rows = await tx.all(_CANDIDATES, workspace_id, base.id, _word_of(base.id), " ".join(safe), CANDIDATES)
    return [_passage(row) for row in rows]


async def _forget(tx: Writing, workspace_id: str, base_id: str) -> None:
    await vectors.forget(tx, workspace_id, base_id)
    await tx.run(_FORGET_WORDS, workspace_id, base_id)
    await tx.run(_FORGET, workspace_id, base_id)


def _word_of(base_id: str) -> str:
    """A base's id as a word of the index. One that stands in a text is found in that text's own base alone."""
    return base_id.replace("-", "")


def _base(row: Row) -> Base:
    return Base(
        id=row[0],
        name=row[1],
        version=row[2],
        hash=row[3],
        characters=row[4],
        passages=row[5],
        created_at=instant(row[6]),
        updated_at=instant(row[7]),
        space=row[8],
        embedded=row[9],
    )


def _passage(row: Row) -> Passage:
    return Passage(number=row[0], title=row[1], text=row[2])
