"""Secrets at rest: AES-256-GCM, with keys that the operator gives or a file that is made the first time.

A stored text is `v1.KEY.TEXT`: the key's id, and base64 of a random nonce of 96 bits, the ciphertext and its tag of 128
bits. The version, the key's id and the place are authenticated with it (NIST SP 800-38D: with random nonces one key may
seal 2 ** 32 times, which no number of accounts comes near). The first key seals, all of them open.
"""

import base64
import binascii
import hmac
import json
import os
import secrets
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from overture.domain.errors import Misconfigured

KEY_BYTES: Final = 32
FILE_NAME: Final = "secrets.key"

_VERSION: Final = "v1"
_NONCE_BYTES: Final = 12
_TAG_BYTES: Final = 16
_ID_DIGITS: Final = 8
_GIVE: Final = "Give it with OVERTURE_SECRETS_KEY or OVERTURE_SECRETS_KEY_FILE; docs/operations.md says more."


class KeyedVault:
    """A vault whose keys are given: `keys` themselves, and those of a `file`, one in each line. The first one seals.

    The file is read anew when it changed. With `may_make` one that is missing is made when a secret is first sealed and
    no key is there, readable by its owner alone.
    """

    def __init__(self, *, keys: Sequence[bytes] = (), file: Path | None = None, may_make: bool = False) -> None:
        self._given: Final = tuple(keys)
        self._file: Final = file
        self._may_make: Final = may_make
        self._read_at: tuple[int, int, int] | None = None
        self._from_file: tuple[bytes, ...] = ()
        self._own: Final = secrets.token_bytes(KEY_BYTES)

    def seal(self, secret: str, place: Sequence[str]) -> str:
        """The text to store. Raises Misconfigured where there is no key."""
        keys = self._keys() or self._make()
        key_id = key_id_of(keys[0])
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(keys[0]).encrypt(nonce, secret.encode(), _bound(key_id, place))
        return f"{_VERSION}.{key_id}.{base64.urlsafe_b64encode(nonce + sealed).decode()}"

    def unseal(self, sealed: str, place: Sequence[str]) -> str:
        """The secret. Raises Misconfigured where the key is missing, or the text was changed, cut or moved."""
        key_id, raw = _parts(sealed)
        key = next((key for key in self._keys() if key_id_of(key) == key_id), None)
        if key is None:
            raise Misconfigured(
                "secrets_key_unknown",
                f"A stored secret was sealed with the key {key_id}, and that key is not there.",
                hint=_GIVE,
            )
        try:
            return AESGCM(key).decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound(key_id, place)).decode()
        except (InvalidTag, UnicodeDecodeError):
            raise _unreadable() from None

    def is_current(self, sealed: str) -> bool:
        """Whether a text was sealed with the key that seals now. Raises Misconfigured where there is none."""
        keys = self._keys()
        if not keys:
            raise _no_key()
        return sealed.startswith(f"{_VERSION}.{key_id_of(keys[0])}.")

    def derive(self, purpose: str) -> bytes:
        """A secret of 32 bytes for a purpose: every process with the same first key has the same one.

        Where there is no key and none may be made, it is this process's own and ends with it.
        """
        keys = self._keys() or (self._make() if self._may_make else (self._own,))
        return hmac.digest(keys[0], b"overture derived secret\n" + purpose.encode(), "sha256")

    def __repr__(self) -> str:
        return f"KeyedVault(file={str(self._file)!r})"

    def _keys(self) -> tuple[bytes, ...]:
        if self._file is None:
            return self._given
        try:
            found = self._file.stat()
            at = (found.st_ino, found.st_size, found.st_mtime_ns)
            if at != self._read_at:
                self._from_file = read_keys(self._file.read_bytes().decode("ascii", "replace"))
                self._read_at = at
        except FileNotFoundError:
            return self._given
        except OSError as away:
            raise Misconfigured(
                "secrets_key_file", f"The key file {self._file} cannot be read: {away.strerror}.", hint=_GIVE
            ) from away
        except ValueError as wrong:
            raise Misconfigured("secrets_key_file", f"The key file {self._file}: {wrong}", hint=_GIVE) from None
        return self._given + self._from_file

    def _make(self) -> tuple[bytes, ...]:
        """The keys of a new file; where another process was faster, of its file."""
        if self._file is None or not self._may_make:
            raise _no_key()
        text = base64.b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n"
        whole = self._file.with_name(f".{self._file.name}.{secrets.token_hex(4)}")
        try:
            _write(whole, text)
            try:
                os.link(whole, self._file)  # appears whole or not at all, and never in the place of another
            except FileExistsError:
                return self._keys()
            finally:
                whole.unlink()
            _sync(self._file.parent)
        except OSError as wrong:
            raise Misconfigured(
                "secrets_key_file", f"The key file {self._file} cannot be made: {wrong.strerror}.", hint=_GIVE
            ) from wrong
        return self._keys()


def read_keys(text: str) -> tuple[bytes, ...]:
    """The keys of a text, separated by commas or lines. Raises ValueError, which repeats nothing of it."""
    words = (word.strip() for word in text.replace(",", "\n").split("\n"))
    keys = tuple(_key(word) for word in words if word and not word.startswith("#"))
    if not keys:
        raise ValueError("it holds no key: 32 random bytes, as base64 or as 64 hexadecimal digits.")
    return keys


def key_id_of(key: bytes) -> str:
    """What stored texts call a key: it tells keys apart, and nothing about them."""
    return sha256(b"overture secrets key\n" + key).hexdigest()[:_ID_DIGITS]


def _key(word: str) -> bytes:
    try:
        if len(word) == 2 * KEY_BYTES:
            return bytes.fromhex(word)
        key = base64.b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise ValueError("a key is 32 random bytes, as base64 or as 64 hexadecimal digits.")
    return key


def _bound(key_id: str, place: Sequence[str]) -> bytes:
    return json.dumps([_VERSION, key_id, *place]).encode()


def _parts(sealed: str) -> tuple[str, bytes]:
    version, _, rest = sealed.partition(".")
    key_id, _, text = rest.partition(".")
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        raise _unreadable() from None
    if version != _VERSION or len(key_id) != _ID_DIGITS or len(raw) < _NONCE_BYTES + _TAG_BYTES:
        raise _unreadable()
    return key_id, raw


def _write(path: Path, text: bytes) -> None:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        os.write(handle, text)
        os.fsync(handle)
    finally:
        os.close(handle)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _no_key() -> Misconfigured:
    return Misconfigured(
        "secrets_key_missing", "There is no key to seal secrets with.", hint=f"32 random bytes. {_GIVE}"
    )


def _unreadable() -> Misconfigured:
    return Misconfigured(
        "secret_unreadable",
        "A stored secret cannot be opened: it was changed, cut, or moved from another place.",
        hint="Set it anew.",
    )
