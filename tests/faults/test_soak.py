"""A house under load for a while, read from all sides and backed up again and again: no caller hears of a lock."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.houses import Running, callers, is_carried_out_once, running
from tests.reaching import Reached
from tests.sizes import size

SECONDS = size(small=3.0, full=600.0)
READS = ("/v2/chat", "/v2/assistants", "/overture/v1/agents", "/overture/v1/keys", "/readyz")


async def read_on(house: Running, until: float, seen: Counter[int]) -> None:
    """Somebody who looks at everything."""
    while time.monotonic() < until:
        for path in READS:
            seen[(await house.client.get(path)).status] += 1
        await asyncio.sleep(0.005)


async def back_up(house: Running, path: Path) -> bool:
    """One backup, to its end."""
    begun = await house.client.post("/overture/v1/backups", {"path": str(path), "force": True})
    assert begun.status == 202, begun.body
    there = f"/overture/v1/backups/{begun.json['id']}"

    async def done() -> bool:
        return bool((await house.client.get(there)).json["state"] not in ("copying", "checking"))

    await house.until(done)
    view = (await house.client.get(there)).json
    assert view["state"] == "done", view
    return True


@pytest.mark.promise("P13")
async def test_no_caller_hears_of_a_lock(database_url: str, tmp_path: Path, reached: Reached) -> None:
    seen: Counter[int] = Counter()
    backups = 0
    async with running(database_url, tmp_path) as house:
        until = time.monotonic() + SECONDS
        async with callers(house) as told, asyncio.TaskGroup() as together:
            for _ in range(2):
                together.create_task(read_on(house, until, seen))
            while time.monotonic() < until:
                if database_url.startswith("sqlite:"):  # of PostgreSQL its own programs make backups
                    backups += await back_up(house, tmp_path / "a.backup")
                else:
                    await asyncio.sleep(0.1)
        await is_carried_out_once(house, told)
        assert set(seen) == {200}
        assert set(house.answers) == {200}
    calls = seen.total() + house.answers.total()
    reached(f"{SECONDS:.0f} s, {calls} calls, {backups} backups: 0 refused, {len(told)} conversations once each")
