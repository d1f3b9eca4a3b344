"""Who may do what: scopes, and the form of an API key.

A key is `ovt_live_<kid>_<secret><check>`: ten characters of base 62 that name it, 43 that are the secret (256 bits),
and the CRC-32 of everything before it in six. The prefix lets scanners find a leaked key, the check refuses a typo
without a look at the database. Of the secret only the SHA-256 is kept: 256 random bits need no slow hash.
"""

import re
from enum import StrEnum
from hashlib import sha256
from typing import Final
from zlib import crc32

from msgspec import Struct

ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
KID_LENGTH: Final = 10
SECRET_LENGTH: Final = 43  # 62 ** 43 is just over 2 ** 256
PREFIX: Final = "ovt_live_"

_CHECK_LENGTH: Final = 6  # 62 ** 6 holds every CRC-32
_KEY: Final = re.compile(
    rf"{PREFIX}([0-9A-Za-z]{{{KID_LENGTH}}})_([0-9A-Za-z]{{{SECRET_LENGTH}}})([0-9A-Za-z]{{{_CHECK_LENGTH}}})"
)

DEFAULT_WORKSPACE: Final = "default"
"""The workspace of an installation that needs only one."""


class Scope(StrEnum):
    """What a key may do. `admin` includes the others and may manage keys."""

    SEND = "send"
    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Principal(Struct, frozen=True, kw_only=True):
    """Who calls: the workspace and what is allowed there. `kid` names the key, None where the caller is the operator
    at the machine itself.
    """

    workspace_id: str
    scopes: frozenset[Scope]
    kid: str | None = None

    def may(self, scope: Scope) -> bool:
        """Whether a scope is granted."""
        return scope in self.scopes or Scope.ADMIN in self.scopes


class KeyParts(Struct, frozen=True, kw_only=True):
    """What a key's text says."""

    kid: str
    secret: str


def write_key(parts: KeyParts) -> str:
    """The key's text, as its owner sees it once."""
    body = f"{PREFIX}{parts.kid}_{parts.secret}"
    return body + _check(body)


def parse_key(text: str) -> KeyParts | None:
    """What a key's text says, None where it cannot be one of ours."""
    found = _KEY.fullmatch(text)
    if found is None or _check(text[:-_CHECK_LENGTH]) != found[3]:
        return None
    return KeyParts(kid=found[1], secret=found[2])


def fingerprint(secret: str) -> str:
    """What is kept of a secret: its SHA-256 in hexadecimal."""
    return sha256(secret.encode()).hexdigest()


def _check(text: str) -> str:
    rest, digits = crc32(text.encode()), ""
    for _ in range(_CHECK_LENGTH):
        rest, digit = divmod(rest, 62)
        digits = ALPHABET[digit] + digits
    return digits
