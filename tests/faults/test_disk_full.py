"""A disk that is full: nothing is acknowledged that is not stored, nothing breaks, and space is all it takes to go on.

The file system is SQLite's own door to one (a VFS), which lets everything through until it has no space left, and then
says what a full disk says.
"""

import random
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import apsw
import pytest

from tests.faults.houses import Running, callers, is_carried_out_once, more, running
from tests.reaching import Reached
from tests.sizes import size

TIMES = size(small=2, full=40)
BACK_WITHIN = 10.0
NAME: Final = "a disk that fills"


class Disk(apsw.VFS):
    """A file system with `left` bytes to write, None for as many as there are."""

    def __init__(self) -> None:
        self.left: int | None = None
        super().__init__(NAME, "unix", makedefault=True)

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> "File":  # noqa: N802 - SQLite's name
        """A file on it."""
        return File(self, name, flags)

    def takes(self, count: int) -> None:
        """Take so many bytes. Raises as a full disk does."""
        if self.left is not None:
            if self.left < count:
                raise apsw.FullError("No space left on device")
            self.left -= count


class File(apsw.VFSFile):
    """A file that needs space for what is written, also over what is there, as the log of a database does."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk: Final = disk
        super().__init__("unix", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - SQLite's name
        """Write where there is space."""
        self._disk.takes(len(data))
        super().xWrite(data, offset)


@pytest.fixture
def disk() -> Iterator[Disk]:
    """The file system of every SQLite database that is opened meanwhile."""
    disk = Disk()
    yield disk
    disk.unregister()


async def fills_up(house: Running, dice: random.Random) -> None:
    """Call until the disk has no space left for it."""

    async def refused() -> bool:
        reply = await house.asks(f"+1555{dice.randrange(10**7):07}")
        if reply.status == 200:
            return False
        assert (reply.status, reply.detail["code"]) == (503, "storage_full"), reply.body
        return True

    await house.until(refused)


@pytest.mark.promise("P12")
async def test_a_full_disk_is_said_and_space_is_all_it_takes(
    disk: Disk, sqlite_url: str, tmp_path: Path, reached: Reached
) -> None:
    dice, longest, opened = random.Random(12), 0.0, 0
    async with running(sqlite_url, tmp_path) as house:
        for n in range(TIMES):
            async with callers(house, 2) as told:
                await more(house, told, 2)
                disk.left = dice.randrange(4096, 400_000)
                await fills_up(house, random.Random(n + 1000))
                webhook = await house.hears("SM" + f"{n:032x}", "+15557777777", "Hello?")
                assert (webhook.status, webhook.detail["code"]) == (503, "storage_full")
                assert (await house.client.get("/v2/chat")).status == 200  # what is there can be read
                disk.left = None
                began = time.monotonic()
                await house.until_taken(lambda: house.asks("+15558888888"), BACK_WITHIN)
                longest = max(longest, time.monotonic() - began)
            opened += len(told)
        await house.comes_to_rest()
        said = Counter((message["to"], message["body"]) for message in house.twilio.taken)
        assert set(said.values()) == {1}
        assert house.roads_that_ended() == []
    connection = apsw.Connection(sqlite_url.removeprefix("sqlite:///"))
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()
    assert set(house.answers) <= {200, 503}
    reached(
        f"{TIMES} times full: {house.answers[503]} calls answered 503, 0 lost or sent twice, integrity ok, "
        f"served again {longest:.1f} s after space came back at most"
    )


@pytest.mark.promise("P12")
async def test_what_was_acknowledged_before_the_disk_was_full_is_carried_out_after_it(
    disk: Disk, sqlite_url: str, tmp_path: Path
) -> None:
    async with running(sqlite_url, tmp_path) as house:
        async with callers(house) as told:
            await more(house, told, 3)
            disk.left = 100_000
            await house.until(lambda: _was_refused(house))
            disk.left = None
        await is_carried_out_once(house, told)


async def _was_refused(house: Running) -> bool:
    return house.answers[503] > 3
