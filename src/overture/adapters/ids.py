"""Ids from the system's randomness, read in blocks: one system call for many ids."""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from overture.domain import ids

_BLOCK: Final = 1024
"""Numbers of 64 bits read at a time; an id takes one or two. 8 KiB cost as much as 16 bytes do: a system call."""


class RandomIds:
    """Makes UUIDv7 ids. Those of one process and one shard rise, within a millisecond too.

    A forked child begins with randomness of its own.
    """

    def __init__(self) -> None:
        self._numbers: Iterator[int] = iter(())
        self._now: datetime | None = None
        self._least = 0  # what the instant asks for: milliseconds since 1970, then twelve bits that count within one
        self._last = 0
        os.register_at_fork(after_in_child=self._forget)

    def new(self, now: datetime, shard: int | None = None) -> str:
        """An id of this instant; without a shard, one of a shard by chance."""
        number = next(self._numbers, -1)
        if number < 0:
            number = self._another()
        if shard is None:
            shard = number >> 50 & (ids.SHARDS - 1)
        if now is not self._now:  # a batch makes all of its ids at one instant
            self._now, self._least = now, int(now.timestamp() * 1000) << 12
        last = self._last = max(self._last + 1, self._least)
        return ids.uuid7(last >> 12, (last & 0xFFF) << 50 | number & 0x3_FFFF_FFFF_FFFF, shard)

    def _another(self) -> int:
        self._numbers = iter(memoryview(os.urandom(8 * _BLOCK)).cast("Q"))
        return next(self._numbers)

    def _forget(self) -> None:
        self._numbers = iter(())
