"""What both engines promise: one commit or nothing, readers that cannot write, and a word for every bad day."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from overture.domain.errors import Invalid, Misconfigured, Unavailable
from overture.store.engine import Reading, Writing
from overture.store.sqlite import SqliteStore
from overture.store.statement import Command, Query, Row, RowsCommand, insert
from tests.databases import Databases, name_of
from tests.world import StillClock, World, open_store

ADD = Command("INSERT INTO workspace (id, name, created_at) VALUES ($1, $2, 0)")
COUNT = Query("SELECT count(*) FROM workspace")
INTO = insert("workspace", {"id": "text", "name": "text"}, same={"created_at": "0"})
MEET = insert(
    "contact", {"workspace_id": "text", "address": "text", "id": "text"}, same={"shard": "1", "created_at": "$1"}
)
RENAME = RowsCommand(
    {"id": "text", "name": "text"}, "UPDATE workspace SET name = rows.name FROM rows WHERE workspace.id = rows.id"
)
RETURNING = RowsCommand(
    {"id": "text"},
    "UPDATE workspace SET name = name WHERE id IN (SELECT id FROM rows) RETURNING id, name",
)
NAMES = Query("SELECT id, name FROM workspace WHERE id IN ('a', 'b') ORDER BY id")
ALL = Query("SELECT id FROM workspace ORDER BY id")


async def count(world: World) -> int:
    return int(await world.value("SELECT count(*) FROM workspace"))


async def test_a_work_that_raises_leaves_nothing_and_harms_no_neighbour(world: World) -> None:
    async def good(tx: Writing, name: str) -> str:
        await tx.run(ADD, name, "")
        return name

    async def bad(tx: Writing) -> str:
        await tx.run(ADD, "bad", "")
        raise Invalid("no", "No.")

    async def clashing(tx: Writing) -> str:
        await tx.run(ADD, "first", "")
        await tx.run(ADD, "clash", "")
        await tx.run(ADD, "clash", "")
        return "never"

    await world.store.write(lambda tx: good(tx, "first"))
    outcomes = await asyncio.gather(
        world.store.write(lambda tx: good(tx, "second")),
        world.store.write(bad),
        world.store.write(clashing),
        world.store.write(lambda tx: good(tx, "third")),
        return_exceptions=True,
    )
    assert outcomes[0] == "second"
    assert isinstance(outcomes[1], Invalid)
    assert isinstance(outcomes[2], Exception)
    assert not isinstance(outcomes[2], Unavailable)
    assert outcomes[3] == "third"
    assert await world.column("SELECT id FROM workspace ORDER BY id") == ["first", "second", "third"]


async def test_what_is_put_is_there_for_whatever_is_asked_next(world: World) -> None:
    async def puts(tx: Writing) -> list[Sequence[Row]]:
        seen = []
        await tx.put(INTO, [])
        await tx.put(INTO, [("a", "first"), ("b", "first")])
        await tx.put(RENAME, [("a", "second")])  # it must find what was put before
        await tx.put(MEET, [("a", "+15550001", "c")], 3)
        seen.append(await tx.all(NAMES))
        await tx.put(RENAME, [("b", "third")])
        seen.append(await tx.run_rows(RETURNING, [("b",)]))
        await tx.put(RENAME, [("a", "fourth")])
        seen.append([await tx.one(Query("SELECT name FROM workspace WHERE id = 'a'")) or ()])
        await tx.put(RENAME, [("a", "fifth")])
        await tx.run(Command("UPDATE workspace SET name = name || '!' WHERE id = 'a'"))
        await tx.put(RENAME, [("b", "last")])
        return seen

    seen = await world.store.write(puts)
    assert [[tuple(row) for row in rows] for rows in seen] == [
        [("a", "second"), ("b", "first")],
        [("b", "third")],
        [("fourth",)],
    ]
    assert await world.column("SELECT name FROM workspace WHERE id IN ('a', 'b') ORDER BY id") == ["fifth!", "last"]
    assert await world.column("SELECT address FROM contact WHERE workspace_id = 'a'") == ["+15550001"]


async def test_what_is_put_is_undone_with_the_rest_and_its_fault_is_told(world: World) -> None:
    async def raises(tx: Writing) -> None:
        await tx.put(INTO, [("a", "first")])
        raise Invalid("no", "No.")

    async def clashes(tx: Writing) -> None:
        await tx.put(INTO, [("b", "first")])
        await tx.put(MEET, [("b", "+15550001", "c")], 3)
        await tx.put(INTO, [("b", "again")])

    before = await count(world)
    for works, fault in ((raises, Invalid), (clashes, Exception)):
        with pytest.raises(fault):
            await world.store.write(works)
    assert await count(world) == before
    assert await world.column("SELECT id FROM contact WHERE workspace_id IN ('a', 'b')") == []


async def test_a_reader_cannot_write(world: World) -> None:
    with pytest.raises(Exception, match=r"read.?only|accepts no writes|disk refused|failed"):
        await world.store.read(
            lambda tx: tx.all(Query("INSERT INTO workspace (id, name, created_at) VALUES ('sly', '', 0) RETURNING id"))
        )
    assert await count(world) == 0


async def test_a_reader_sees_one_picture_while_others_write(world: World) -> None:
    async def looks_twice(tx: Reading) -> tuple[int, int]:
        before = await tx.one(COUNT)
        for _ in range(100):
            await tx.all(ALL)
        after = await tx.one(COUNT)
        assert before is not None
        assert after is not None
        return before[0], after[0]

    async def writes() -> None:
        for n in range(50):
            await world.store.write(lambda tx, n=n: tx.run(ADD, f"w{n:03}", ""))  # type: ignore[misc]

    writing = asyncio.create_task(writes())
    seen = [await world.store.read(looks_twice) for _ in range(20)]
    await writing
    assert all(before == after for before, after in seen)
    assert await count(world) == 50


async def test_a_reader_sees_nothing_of_a_commit_that_has_not_happened(database_url: str) -> None:
    """Rows of one work come into sight together."""
    store = open_store(database_url, StillClock())
    await store.open()

    async def writes_many(tx: Writing) -> None:
        for n in range(200):
            await tx.run(ADD, str(n), "")

    writing = asyncio.create_task(store.write(writes_many))
    seen = set()
    while not writing.done():
        row = await store.read(lambda tx: tx.one(COUNT))
        assert row is not None
        seen.add(row[0])
    await writing
    await store.close()
    assert seen <= {0, 200}


async def test_a_closed_store_says_so(database_url: str) -> None:
    store = open_store(database_url, StillClock())
    await store.open()
    await store.close()
    await store.close()
    for doing in (store.read(lambda tx: tx.one(COUNT)), store.write(lambda tx: tx.run(ADD, "a", ""))):
        with pytest.raises(Unavailable) as refused:
            await doing
        assert refused.value.code == "storage_closed"


async def test_nobody_waits_for_ever_while_a_store_closes(database_url: str) -> None:
    store = open_store(database_url, StillClock())
    await store.open()

    async def asks(n: int) -> str:
        try:
            await store.write(lambda tx: tx.run(ADD, str(n), ""))
        except Unavailable as away:
            return away.code
        return "written"

    async def keeps_asking(first: int) -> set[str]:
        answers = set()
        for n in range(first, first + 1000):
            answers.add(await asks(n))
            if answers - {"written"}:
                break
        return answers

    asking = [asyncio.create_task(keeps_asking(first)) for first in (0, 1000, 2000)]
    await asyncio.sleep(0.05)
    await asyncio.wait_for(store.close(), 10)
    for answers in await asyncio.wait_for(asyncio.gather(*asking), 10):
        assert answers <= {"written", "storage_closed", "storage_away"}


async def test_instants_keep_their_microseconds(world: World) -> None:
    at = world.clock.now().replace(microsecond=123457)
    world.clock.at = at
    conversation = await world.conversation(await world.starts())
    assert conversation.created_at == at


# SQLite alone


async def test_a_second_process_is_kept_out(sqlite_url: str) -> None:
    first, second = (open_store(sqlite_url, StillClock()) for _ in range(2))
    await first.open()
    with pytest.raises(Misconfigured) as refused:
        await second.open()
    assert refused.value.code == "database_in_use"
    assert refused.value.hint
    await second.close()
    await first.close()
    await second.open()
    await second.close()


async def test_a_full_disk_stores_nothing_and_is_well_again_with_space(sqlite_url: str) -> None:
    store = open_store(sqlite_url, StillClock())
    await store.open()
    await limit_pages(store, None)
    before, big = await store.read(lambda tx: tx.all(ALL)), "x" * 200_000

    outcomes = await asyncio.gather(
        *(store.write(lambda tx, n=n: tx.run(ADD, f"w{n}", big)) for n in range(5)),  # type: ignore[misc]
        return_exceptions=True,
    )
    assert {getattr(one, "code", one) for one in outcomes} == {"storage_full"}
    assert all(isinstance(one, Unavailable) for one in outcomes)
    assert await store.read(lambda tx: tx.all(ALL)) == before

    await limit_pages(store, 1_000_000)
    await store.write(lambda tx: tx.run(ADD, "after", big))
    assert [row[0] for row in await store.read(lambda tx: tx.all(ALL))] == ["after"]
    await store.close()
    again = open_store(sqlite_url, StillClock())
    await again.open()
    [row] = await again.read(lambda tx: tx.all(Query("PRAGMA integrity_check")))
    assert row[0] == "ok"
    await again.close()


async def limit_pages(store: Any, pages: int | None) -> None:
    """Let the database grow to so many pages; None: no further than it is (SQLite never takes less)."""
    await store.write(lambda tx: tx.run(Command(f"PRAGMA max_page_count = {pages or 1}")))


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"these are my notes, not a database\n" * 100)
    store = SqliteStore(path, StillClock())
    with pytest.raises(Unavailable):
        await store.open()
    await store.close()
    assert path.read_bytes().startswith(b"these are my notes")


async def test_time_never_steps_back_within_a_second(tmp_path: Path) -> None:
    clock = StillClock()
    store = SqliteStore(tmp_path / "a.db", clock)
    first = store.now()
    clock.passes(seconds=-0.4)
    assert store.now() == first
    clock.passes(seconds=-3600)
    assert store.now() == clock.now()  # a clock that was set is believed


# PostgreSQL alone


async def test_a_server_that_is_away_is_unavailable_at_once_and_served_again_when_back(
    postgresql: Databases, postgresql_url: str
) -> None:
    store = open_store(postgresql_url, StillClock())
    await store.open()
    administrator = await asyncpg.connect(postgresql.url)
    name = name_of(postgresql_url)
    await administrator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
    await administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
    with pytest.raises(Unavailable):
        await store.write(lambda tx: tx.run(ADD, "a", ""))
    with pytest.raises(Unavailable):
        await store.read(lambda tx: tx.one(COUNT))
    await administrator.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    await administrator.close()
    await store.write(lambda tx: tx.run(ADD, "b", ""))
    assert [row[0] for row in await store.read(lambda tx: tx.all(ALL))] == ["b"]
    await store.close()


async def test_a_lock_that_is_held_too_long_is_a_busy_database(postgresql_url: str) -> None:
    store = open_store(postgresql_url, StillClock())
    await store.open()
    await store.write(lambda tx: tx.run(ADD, "a", ""))
    holder = await asyncpg.connect(postgresql_url)
    async with holder.transaction():
        await holder.execute("UPDATE workspace SET name = 'held'")
        with pytest.raises(Unavailable) as refused:
            await store.write(lambda tx: tx.run(Command("UPDATE workspace SET name = 'ours'")))
    assert refused.value.code == "storage_busy"
    await holder.close()
    await store.close()


@pytest.mark.parametrize("url", ["postgresql://nobody@127.0.0.1:1/none"])
async def test_a_server_that_does_not_answer_is_unavailable(url: str) -> None:
    store = open_store(url, StillClock())
    with pytest.raises(Unavailable):
        await store.open()
    await store.close()


async def test_writes_that_meet_in_a_circle_are_both_done(postgresql_url: str) -> None:
    """The server ends one of them; it is done anew once the other is through."""
    store = open_store(postgresql_url, StillClock())
    await store.open()
    try:
        await store.write(lambda tx: tx.run(ADD, "a", "a"))
        await store.write(lambda tx: tx.run(ADD, "b", "b"))
        met = asyncio.Barrier(2)
        tries: list[str] = []

        async def rename(first: str, then: str) -> None:
            async def work(tx: Writing) -> None:
                tries.append(first)
                await tx.run(Command("UPDATE workspace SET name = name || $2 WHERE id = $1"), first, first)
                if len(tries) <= 2:
                    await met.wait()
                await tx.run(Command("UPDATE workspace SET name = name || $2 WHERE id = $1"), then, first)

            await store.write(work)

        await asyncio.gather(rename("a", "b"), rename("b", "a"))
        both = Query("SELECT name FROM workspace WHERE id IN ('a', 'b') ORDER BY id")
        names = await store.read(lambda tx: tx.all(both))
        assert [sorted(row[0]) for row in names] == [["a", "a", "b"], ["a", "b", "b"]]
        assert len(tries) == 3
    finally:
        await store.close()
