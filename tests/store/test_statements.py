"""Statements are literal SQL for two engines: what differs has its place, and every one of them can be prepared."""

import contextlib
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

import apsw
import asyncpg
import pytest

from overture import store as store_package
from overture.domain.errors import Unavailable
from overture.store import postgresql, statement, vectors
from overture.store.statement import Command, Query, RowsCommand, RowsQuery, RowsStatement, Statement, insert, together
from tests.world import StillClock, World, open_store


def all_statements() -> Iterator[tuple[str, Statement | RowsStatement]]:
    """Every statement that a module of the store defines, by its name."""
    for module in pkgutil.iter_modules(store_package.__path__, "overture.store."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if isinstance(value, Statement | RowsStatement):
                yield f"{module.name.removeprefix('overture.store.')}.{name}", value


STATEMENTS = dict(all_statements())


def test_the_store_is_made_of_statements() -> None:
    assert len(STATEMENTS) > 70
    assert all(name.split(".")[1].startswith("_") for name in STATEMENTS)


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[apsw.Connection]:
    """An empty SQLite database with the whole schema."""
    from overture.store import migrate
    from tests.world import NOON

    connection = apsw.Connection(str(tmp_path_factory.mktemp("statements") / "empty.db"))
    migrate.up_sqlite(connection, NOON)
    yield connection
    connection.close()


@pytest.mark.parametrize("name", STATEMENTS)
def test_every_statement_can_be_prepared_on_sqlite(migrated: apsw.Connection, name: str) -> None:
    one = STATEMENTS[name]
    texts = [one.sqlite] if isinstance(one, Statement) else [text_of(one, rows) for rows in (1, 64)]
    for text in texts:
        migrated.execute("EXPLAIN " + text, [None] * parameters_of(text)).fetchall()


async def test_every_statement_can_be_prepared_on_postgresql(postgresql_url: str) -> None:
    store = open_store(postgresql_url, StillClock())
    await store.open()
    connection = await asyncpg.connect(postgresql_url)
    wrong = {}
    for name, one in STATEMENTS.items():
        try:
            await connection.prepare(one.postgresql)
        except asyncpg.PostgresError as error:
            wrong[name] = str(error)
    await connection.close()
    await store.close()
    assert not wrong


async def test_a_command_knows_every_table_it_touches(postgresql_url: str) -> None:
    """By what it knows, it is decided which commands may be one statement (`together`)."""
    store = open_store(postgresql_url, StillClock())
    await store.open()
    connection = await asyncpg.connect(postgresql_url, server_settings={"plan_cache_mode": "force_generic_plan"})
    commands = {name: one for name, one in STATEMENTS.items() if isinstance(one, RowsCommand)}
    for name, one in commands.items():
        values = ", ".join(["NULL"] * parameters_of(one.postgresql))
        await connection.execute(f"PREPARE p AS {one.postgresql}")
        [[plan]] = await connection.fetch(f"EXPLAIN (FORMAT JSON) EXECUTE p({values})")
        await connection.execute("DEALLOCATE p")
        touched = set(re.findall(r'"Relation Name": "(\w+)"', plan))
        written = set(re.findall(r'"Operation": "\w+",[^{}]*?"Relation Name": "(\w+)"', plan))
        assert written, name
        assert (touched - one.tables, written - one.written) == (set(), set()), name
    await connection.close()
    await store.close()


def test_commands_that_touch_the_same_table_are_never_one_statement() -> None:
    into = insert("workspace", {"id": "text"})
    of = RowsCommand({"id": "text"}, "UPDATE contact SET name = workspace.name FROM rows JOIN workspace ON true")
    other = RowsCommand({"id": "text"}, "DELETE FROM contact WHERE id IN (SELECT id FROM rows)")
    looks = RowsCommand({"id": "text"}, "UPDATE thread SET id = '' WHERE id IN (SELECT contact.id FROM contact)")
    apart = insert("event", {"id": "text"})
    assert into.meets(into)
    assert into.meets(of)
    assert of.meets(into)
    assert of.meets(other)
    assert other.meets(looks)
    assert looks.meets(other)
    assert not any(one.meets(apart) or apart.meets(one) for one in (into, of, other, looks))


def test_the_parameters_of_commands_that_are_one_statement_follow_each_other() -> None:
    first, second = "UPDATE a SET b = $1 WHERE c = $2", "UPDATE d SET e = $11, f = $1, g = $1"
    assert together((first,)) == first
    assert together((first, second, first)) == (
        "WITH w2 AS (UPDATE a SET b = $14 WHERE c = $15), w1 AS (UPDATE d SET e = $13, f = $3, g = $3), "
        f"w0 AS ({first}) SELECT 1 WHERE FALSE"
    )


async def test_commands_that_are_one_statement_run_in_the_order_in_which_they_were_put(postgresql_url: str) -> None:
    """So they lock rows in the order in which they would one by one."""
    connection = await asyncpg.connect(postgresql_url)
    await connection.execute("CREATE SEQUENCE turn_of; CREATE TABLE a (n int); CREATE TABLE b (n int)")
    await connection.execute("CREATE TABLE c (n int, of text)")
    into = ["INSERT INTO a SELECT nextval('turn_of')", "INSERT INTO b SELECT nextval('turn_of')"]
    await connection.fetch(together((*into, "INSERT INTO c SELECT nextval('turn_of'), $1")), "them")
    assert [await connection.fetchval(f"SELECT n FROM {table}") for table in "abc"] == [1, 2, 3]
    await connection.close()


async def test_no_plan_walks_a_whole_workspace_for_each_row_of_a_join(postgresql_url: str) -> None:
    """An id tells a join what to look up: without statistics a workspace, or a whole index, seems to do as well."""
    store = open_store(postgresql_url, StillClock())
    await store.open()
    connection = await asyncpg.connect(postgresql_url, server_settings=postgresql._SESSION)
    walks = {}
    for name, one in STATEMENTS.items():
        await connection.execute(f"PREPARE it AS {one.postgresql}")
        arguments = max((int(number) for number in re.findall(r"\$(\d+)", one.postgresql)), default=0)
        given = f"({', '.join(['NULL'] * arguments)})" if arguments else ""
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN EXECUTE it{given}"))
        await connection.execute("DEALLOCATE it")
        if re.search(r"Index Cond: \(workspace_id = \w+\.workspace_id\)|Materialize", plan):
            walks[name] = plan
    await connection.close()
    await store.close()
    assert not walks, "\n".join(walks.values())


async def test_near_passages_are_looked_up_by_their_numbers(sqlite_url: str) -> None:
    """Ten thousand passages walked for two hundred cost more than all of the search beside."""
    store = open_store(sqlite_url, StillClock())
    await store.open()
    text, given = next(vectors._NUMBERS.chunks([(n,) for n in range(128)], ["a workspace", "a base", 1, "small/8"]))
    with contextlib.closing(apsw.Connection(sqlite_url.removeprefix("sqlite:///"))) as connection:
        plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {text}", given)]
    await store.close()
    assert any("passage_by_number (knowledge_id=? AND number=?)" in step for step in plan), plan


def text_of(one: RowsStatement, rows: int) -> str:
    [(text, _)] = one.chunks([(None,) * len(one.arrays([]))] * rows, [])
    return text


def parameters_of(text: str) -> int:
    return max((int(number) for number in re.findall(r"[?$](\d+)", text)), default=0)


@pytest.mark.parametrize(
    ("rows", "sizes"),
    [
        (0, []),
        (1, [1]),
        (2, [2]),
        (3, [2, 1]),
        (63, [32, 16, 8, 4, 2, 1]),
        (64, [64]),
        (65, [64, 1]),
        (130, [64, 64, 2]),
    ],
)
def test_rows_are_cut_into_powers_of_two(rows: int, sizes: list[int]) -> None:
    query = RowsQuery({"a": "int", "b": "text"}, "SELECT a, b, $1 FROM rows")
    chunks = list(query.chunks([(n, str(n)) for n in range(rows)], ["scalar"]))
    assert [(len(bound) - 1) // 2 for _, bound in chunks] == sizes
    assert all(bound[0] == "scalar" for _, bound in chunks)
    assert [value for _, bound in chunks for value in bound[1::2]] == list(range(rows))


def test_few_texts_are_ever_prepared() -> None:
    query = RowsQuery({"a": "int"}, "SELECT a FROM rows")
    texts = {text for size in range(1, 300) for text, _ in query.chunks([(0,)] * size, [])}
    assert len(texts) == 7


@pytest.mark.parametrize("rows", [0, 1, 63, 64, 65, 130])
async def test_rows_arrive_whole_and_in_order_on_both_engines(world: World, rows: int) -> None:
    query = RowsQuery(
        {"n": "int", "word": "text", "at": "bigint"},
        "SELECT n, word, at, CAST($1 AS text) FROM rows WHERE n >= CAST($2 AS int)",
    )
    given = [(n, f"word '{n}' $1 ?1", 2**53 + n) for n in range(rows)]
    found = await world.store.read(lambda tx: tx.all_of(query, given, "scalar", 0))
    assert [tuple(row) for row in found] == [(*row, "scalar") for row in given]


@pytest.mark.parametrize("word", ["", "\x1f", "\x1e", "a\x1fb", "\x1e\x1f\x1e", None, "NULL", "{}", '"', "\\", "é😀"])
@pytest.mark.parametrize("rows", [1, 2, 3])
async def test_any_text_arrives_as_it_is_however_rows_travel(world: World, rows: int, word: str | None) -> None:
    query = RowsQuery({"n": "int", "word": "text", "yes": "boolean"}, "SELECT n, word, yes FROM rows")
    given = [(n if n % 2 else None, word, n % 2 == 0) for n in range(rows)]
    found = await world.store.read(lambda tx: tx.all_of(query, given))
    assert [(n, text, bool(yes)) for n, text, yes in found] == given


async def test_what_a_set_of_rows_returns_comes_back_from_every_chunk(world: World) -> None:
    command = insert(
        "idempotency",
        {"workspace_id": "text", "key": "text", "digest": "text", "conversation_id": "text"},
        "ON CONFLICT DO NOTHING RETURNING key",
        same={"created_at": "$1"},
    )
    rows = [("default", f"key {n % 100}", "", "") for n in range(130)]
    returned = await world.store.write(lambda tx: tx.run_rows(command, rows[:100], 7))
    assert len(returned) == 100
    assert await world.store.write(lambda tx: tx.run_rows(command, rows[:65], 7)) == []


@pytest.mark.parametrize(
    ("written", "postgresql", "sqlite"),
    [
        ("SELECT $1, $12", "SELECT $1, $12", "SELECT ?1, ?12"),
        ("SELECT 1 /*pg: FOR UPDATE */", "SELECT 1  FOR UPDATE ", "SELECT 1 "),
        ("TABLE t /*sqlite: WITHOUT ROWID */", "TABLE t ", "TABLE t  WITHOUT ROWID "),
        ("SELECT 1 /*pg: x\ny */ /*sqlite: z */", "SELECT 1  x\ny  ", "SELECT 1   z "),
        ("SELECT 1 /* a comment */", "SELECT 1 /* a comment */", "SELECT 1 /* a comment */"),
    ],
)
def test_each_engine_gets_its_own_text(written: str, postgresql: str, sqlite: str) -> None:
    assert (Query(written).postgresql, Query(written).sqlite) == (postgresql, sqlite)
    assert (statement.for_postgresql(written), Command(written).postgresql) == (postgresql, postgresql)


def test_scalars_come_before_the_rows() -> None:
    command = RowsCommand({"id": "text", "n": "int"}, "UPDATE t SET n = rows.n, at = $2, by = $1 FROM rows")
    assert "unnest($3::text[], $4::int[])" in command.postgresql
    [(text, bound)] = command.chunks([("a", 1)], ["by", "at"])
    assert "VALUES (?3,?4)" in text
    assert bound == ["by", "at", "a", 1]


@pytest.mark.parametrize("value", ["a\0b", "\ud800", 2**70], ids=["nul", "lone surrogate", "huge"])
async def test_a_value_that_no_column_takes_is_no_sign_that_the_database_is_away(world: World, value: Any) -> None:
    write = Command("INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, $3)")
    name, at = (value, 0) if isinstance(value, str) else ("name", value)
    outcome: Any = None
    try:
        await world.store.write(lambda tx: tx.run(write, "w", name, at))
    except Exception as wrong:  # noqa: BLE001 - which one is the engine's affair
        outcome = wrong
    assert not isinstance(outcome, Unavailable)
    assert await world.value("SELECT count(*) FROM migration") >= 1
