"""Ids from the system's randomness, read in blocks: one system call for many ids."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from overture.domain import ids

_BLOCK: Final = 1024
"""Numbers of 64 bits read at a time; an id takes one or two. 8 KiB cost as much as 16 bytes do: a system call."""


class RandomIds:
    """Makes UUIDv7 ids. A forked child begins with randomness of its own."""

    def __init__(self) -> None:
        self._numbers: Iterator[int] = iter(())
        os.register_at_fork(after_in_child=self._forget)

    def new(self, now: datetime, shard: int | None = None) -> str:
        """An id of this instant; without a shard, one of a shard by chance."""
        if shard is None:
            shard = self._number() & (ids.SHARDS - 1)
        return ids.uuid7(int(now.timestamp() * 1000), self._number(), shard)

    def _number(self) -> int:
        for number in self._numbers:
            return number
        self._numbers = iter(memoryview(os.urandom(8 * _BLOCK)).cast("Q"))
        return next(self._numbers)

    def _forget(self) -> None:
        self._numbers = iter(())
