"""The sum of the migrations, as SQLite tells it. `python -m tests.store.schema` writes it down again."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import apsw

from overture.store import migrate
from tests.world import NOON

WRITTEN: Final = Path(__file__).resolve().parents[2] / "src/overture/store/schema.sql"
_HEAD: Final = (
    "-- The sum of the migrations, as SQLite keeps it. For readers: nothing runs it, and a test holds it true.\n"
)


def sum_of_migrations(folder: Path) -> str:
    """Every table and index of an empty database, by name, a table before its indexes."""
    connection = apsw.Connection(str(folder / "empty.db"))
    try:
        migrate.up_sqlite(connection, NOON)
        rows = connection.execute(
            "SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT IN"  # an index's own tables tell nothing
            " (SELECT name FROM pragma_table_list WHERE type = 'shadow') ORDER BY tbl_name, type DESC, name"
        ).fetchall()
    finally:
        connection.close()
    tables = [_tidy(str(sql)) for (sql,) in rows]
    return _HEAD + "".join(f"\n{sql};\n" for sql in tables)


def _tidy(sql: str) -> str:
    lines = (line.split("/*pg:")[0].rstrip() for line in sql.strip().splitlines())
    return "\n".join(line for line in lines if line)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        WRITTEN.write_text(sum_of_migrations(Path(folder)))
