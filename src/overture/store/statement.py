"""Statements: literal SQL that SQLite and PostgreSQL both understand, prepared once for each.

What both share is written once. What differs has its place here:

- `$1` is PostgreSQL's placeholder; SQLite gets `?1`.
- `/*pg: FOR UPDATE SKIP LOCKED */` and `/*sqlite: WITHOUT ROWID */` are comments to one engine and SQL to the other.
- A set of rows enters as the table `rows`: `unnest` of one array a column on PostgreSQL, `VALUES` on SQLite, whose
  batches are cut into powers of two so that few texts are ever prepared. To PostgreSQL a column travels as one text
  with separators in it where it can: the driver asks of every element of an array what it is.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

Row: TypeAlias = tuple[Any, ...]

_PLACEHOLDER: Final = re.compile(r"\$(\d+)")
_FOR_PG: Final = re.compile(r"/\*pg:(.*?)\*/", re.DOTALL)
_FOR_SQLITE: Final = re.compile(r"/\*sqlite:(.*?)\*/", re.DOTALL)

_BETWEEN: Final = (
    "\x1f"  # the unit separator: texts of people and programs do not hold it, and where one does, arrays go
)
_NOTHING: Final = "\x1e"  # stands for NULL
_PACKED: Final = frozenset({"text", "int", "bigint", "boolean"})
_TABLE: Final = re.compile(r"\b(?:INTO|UPDATE|FROM|JOIN)\s+([a-z_]+)")
_WRITTEN: Final = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM)\s+([a-z_]+)")

_LARGEST_CHUNK: Final = 64  # rows of one VALUES list: beyond it the parser's time outgrows what a statement costs


def for_postgresql(sql: str) -> str:
    """The text as PostgreSQL gets it."""
    return _FOR_SQLITE.sub("", _FOR_PG.sub(r"\1", sql))


def for_sqlite(sql: str) -> str:
    """The text as SQLite gets it, `$n` still in place."""
    return _FOR_PG.sub("", _FOR_SQLITE.sub(r"\1", sql))


class Statement:
    """One statement with scalar parameters `$1`, `$2`…"""

    def __init__(self, sql: str) -> None:
        self.postgresql: Final = for_postgresql(sql)
        self.sqlite: Final = _PLACEHOLDER.sub(r"?\1", for_sqlite(sql))


class RowsStatement:
    """One statement over a set of rows, named `rows` in its text, beside scalar parameters `$1`, `$2`…

    `columns` gives the rows' columns in order with their PostgreSQL types.
    """

    def __init__(self, columns: dict[str, str], sql: str) -> None:
        scalars = max((int(n) for n in _PLACEHOLDER.findall(sql)), default=0)
        names = ", ".join(columns)
        numbered = list(enumerate(columns.values(), start=scalars + 1))
        arrays = ", ".join(f"${n}::{kind}[]" for n, kind in numbered)
        packed = ", ".join(rf"string_to_array(${n}, E'\x1f', E'\x1e')::{kind}[]" for n, kind in numbered)
        body = for_postgresql(sql)
        self._kinds: Final = tuple(columns.values())
        self._width: Final = len(columns)
        self._scalars: Final = scalars
        self._can_pack: Final = _PACKED.issuperset(columns.values())
        self.postgresql: Final = f"WITH rows({names}) AS (SELECT * FROM unnest({arrays})) {body}"
        self.postgresql_packed: Final = f"WITH rows({names}) AS (SELECT * FROM unnest({packed})) {body}"
        self._sqlite_head: Final = f"WITH rows({names}) AS (VALUES "
        self._sqlite_tail: Final = ") " + _PLACEHOLDER.sub(r"?\1", for_sqlite(sql))
        self._sqlite: Final[dict[int, str]] = {}

    def arrays(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """The rows turned into one array a column."""
        return list(zip(*rows, strict=True)) if rows else [()] * self._width

    def bound(self, rows: Sequence[Row]) -> tuple[str, Sequence[Any]]:
        """The statement for PostgreSQL with what carries the rows: a packed text a column, else an array a column."""
        columns = self.arrays(rows)
        if self._can_pack and len(rows) > 1:  # of a single row an empty text would look like no row
            packed = [_pack(column, kind) for column, kind in zip(columns, self._kinds, strict=True)]
            if None not in packed:
                return self.postgresql_packed, packed
        return self.postgresql, columns

    def chunks(self, rows: Sequence[Row], scalars: Sequence[Any]) -> Iterator[tuple[str, list[Any]]]:
        """The statements, with their parameters, that carry the rows on SQLite."""
        start, left = 0, len(rows)
        size = _LARGEST_CHUNK
        while left:
            while size > left:
                size >>= 1
            bound = list(scalars)
            for row in rows[start : start + size]:
                bound.extend(row)
            yield self._sqlite_text(size), bound
            start, left = start + size, left - size

    def _sqlite_text(self, size: int) -> str:
        text = self._sqlite.get(size)
        if text is None:
            first = self._scalars + 1
            lists = (
                "(" + ",".join(f"?{n}" for n in range(at, at + self._width)) + ")"
                for at in range(first, first + size * self._width, self._width)
            )
            text = self._sqlite[size] = self._sqlite_head + ",".join(lists) + self._sqlite_tail
        return text


def _pack(column: Sequence[Any], kind: str) -> str | None:
    """A column as one text; None where a value holds a separator, or is none of its kind (the driver tells)."""
    try:
        if kind != "text":
            return _BETWEEN.join([_NOTHING if value is None else str(value) for value in column])
        if None in column:
            text = _BETWEEN.join([_NOTHING if value is None else value for value in column])
            nulls = column.count(None)
        else:
            text, nulls = _BETWEEN.join(column), 0
    except TypeError:
        return None
    return text if text.count(_BETWEEN) == len(column) - 1 and text.count(_NOTHING) == nulls else None


class Query(Statement):
    """A statement that only reads."""


class Command(Statement):
    """A statement that writes; what it RETURNs comes back as rows."""


class RowsQuery(RowsStatement):
    """Reads, joined with a set of rows."""


class RowsCommand(RowsStatement):
    """Writes a set of rows; what it RETURNs comes back as rows."""

    def __init__(self, columns: dict[str, str], sql: str) -> None:
        super().__init__(columns, sql)
        text = for_postgresql(sql)
        self.tables: Final = frozenset(_TABLE.findall(text)) - {"rows"}
        self.written: Final = frozenset(_WRITTEN.findall(text))

    def meets(self, other: "RowsCommand") -> bool:
        """Whether one of two writes a table that the other one reads or writes: then they cannot be one statement."""
        return not (self.written.isdisjoint(other.tables) and other.written.isdisjoint(self.tables))


@lru_cache(maxsize=512)
def together(texts: tuple[str, ...]) -> str:
    """Writes of which nothing is asked back, as one statement for PostgreSQL; their parameters follow each other.

    The server runs such writes from the last one to the first, so that is how they are listed.
    """
    if len(texts) == 1:
        return texts[0]
    parts, before = list[str](), 0
    for n, text in enumerate(texts):
        parts.append(f"w{n} AS ({_PLACEHOLDER.sub(partial(_moved, by=before), text)})")
        before += max((int(number) for number in _PLACEHOLDER.findall(text)), default=0)
    return f"WITH {', '.join(reversed(parts))} SELECT 1 WHERE FALSE"


def _moved(placeholder: re.Match[str], *, by: int) -> str:
    return f"${int(placeholder[1]) + by}"


def insert(table: str, columns: dict[str, str], tail: str = "", *, same: dict[str, str] | None = None) -> RowsCommand:
    """`INSERT INTO table`, one row for each of `rows`; `tail` holds ON CONFLICT and RETURNING.

    `same` gives columns that are the same for every row, as SQL (a literal or `$1`): a value that does not travel
    with each row costs nothing.
    """
    fixed = same or {}
    names = ", ".join([*columns, *fixed])
    values = ", ".join([*columns, *fixed.values()])
    return RowsCommand(columns, f"INSERT INTO {table} ({names}) SELECT {values} FROM rows WHERE true {tail}")
