"""Ids: UUIDv7 text. Sorted by time, so inserts stay at the right edge of every index; the low ten of its twelve
`rand_a` bits carry the shard (0..1023), so an id tells where its rows live without a look-up.
"""

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Final

SHARDS: Final = 1024

_WRITTEN: Final = "%s-7%03x-%04x-%012x"
_UUID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def uuid7(unix_milliseconds: int, random_bits: int, shard: int) -> str:
    """The UUIDv7 of an instant with 64 random bits and a shard (RFC 9562, 5.7)."""
    rand_a = random_bits >> 52 & 0xC00 | shard & 0x3FF
    head, tail = _head(unix_milliseconds & 0xFFFF_FFFF_FFFF), random_bits & 0xFFFF_FFFF_FFFF
    return _WRITTEN % (head, rand_a, 0x8000 | random_bits >> 48 & 0x3FFF, tail)


@lru_cache(maxsize=8)  # a batch makes hundreds within one millisecond
def _head(milliseconds: int) -> str:
    return f"{milliseconds >> 16:08x}-{milliseconds & 0xFFFF:04x}"


def shard_of(an_id: str) -> int:
    """The shard that a UUID's own bits tell (of any version: a client may bring its own)."""
    return int(an_id[15:18], 16) & 0x3FF


def shard_for(workspace_id: str, address: str) -> int:
    """The shard of a contact, from the first address it was known by."""
    digest = blake2b(f"{workspace_id}\n{address}".encode(), digest_size=2).digest()
    return int.from_bytes(digest) & 0x3FF


def is_uuid(text: str) -> bool:
    """Whether a text has the form of a UUID."""
    return _UUID.fullmatch(text) is not None
