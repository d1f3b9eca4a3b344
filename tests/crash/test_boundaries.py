"""What counts as a boundary, and that fast time keeps its proportions."""

import asyncio
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query
from tests.crash import boundaries, timescale
from tests.crash.boundaries import Boundaries, CountedStore
from tests.crash.timescale import ScaledStore
from tests.world import StillClock, open_store

_ADD = Command("INSERT INTO workspace (id, name, created_at) VALUES ($1, $1, 0)")
_RENAME = Command("UPDATE workspace SET name = 'other' WHERE id = $1")


async def passed(database_url: str, path: Path, *works: Any) -> list[str]:
    """The boundaries that a store passes while it does these, one after the other."""
    store = CountedStore(open_store(database_url, StillClock()), Boundaries(path, clock=StillClock()))
    await store.open()
    try:
        for work in works:
            await store.write(work)
    finally:
        await store.close()
    return [one.name for one in boundaries.read(path)]


async def test_a_commit_has_a_boundary_on_both_sides_named_by_its_tables(database_url: str, tmp_path: Path) -> None:
    async def add(tx: Writing) -> None:
        await tx.run(_ADD, "one")

    assert await passed(database_url, tmp_path / "passed", add) == [
        "before the commit of workspace",
        "after the commit of workspace",
    ]


async def test_a_transaction_that_changes_nothing_has_none(database_url: str, tmp_path: Path) -> None:
    async def looks(tx: Reading) -> None:
        await tx.one(Query("SELECT count(*) FROM workspace"))

    async def finds_nothing_to_rename(tx: Writing) -> None:
        await tx.run(_RENAME, "nobody")

    assert await passed(database_url, tmp_path / "passed", looks, finds_nothing_to_rename) == []


async def test_what_fails_has_none(database_url: str, tmp_path: Path) -> None:
    async def fails(tx: Writing) -> None:
        await tx.run(_ADD, "one")
        raise ValueError("refused")

    async def tried(tx: Writing) -> None:
        await tx.run(_ADD, "two")

    store = CountedStore(open_store(database_url, StillClock()), Boundaries(tmp_path / "passed", clock=StillClock()))
    await store.open()
    try:
        await asyncio.gather(store.write(fails), return_exceptions=True)
        await store.write(tried)
    finally:
        await store.close()
    assert len(boundaries.read(tmp_path / "passed")) == 2


async def test_a_server_s_store_tells_the_time_of_the_timescale(sqlite_url: str) -> None:
    scale = timescale.beginning_now(100.0)
    store = ScaledStore(open_store(sqlite_url, StillClock()), scale)
    before, began = store.now(), time.monotonic()
    while time.monotonic() - began < 0.05:
        pass
    assert store.now() - before > timedelta(seconds=4.9)


def test_an_event_loop_in_fast_time_waits_shorter_and_counts_longer() -> None:
    counted: list[float] = []

    async def waits() -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await asyncio.sleep(10)
        counted.append(loop.time() - began)

    began = time.monotonic()
    timescale.run(waits, 100.0)
    assert time.monotonic() - began < 5
    assert counted[0] >= 10
