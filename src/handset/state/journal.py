"""What is remembered, on disk: one JSON line for each change, the newest of a thing wins.

A line is handed to the operating system before its change is answered for, so it survives the sudden death of
Handset; it is not synced, so a power cut may take the last ones (this is a development tool, and a sync a line
would be its slowest part). A torn last line, the trace of a death in the middle of a write, is passed over.
"""

import fcntl
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from handset.state import nouns

Entry = (
    nouns.Message
    | nouns.Webhook
    | nouns.Phone
    | nouns.OptOut
    | nouns.Lifted
    | nouns.Removed
    | nouns.Act
    | nouns.Wired
    | nouns.Joined
    | nouns.Medium
    | nouns.Feedback
    | nouns.Content
)

KINDS: Final[dict[str, type[Entry]]] = {
    "message": nouns.Message,
    "webhook": nouns.Webhook,
    "phone": nouns.Phone,
    "opt-out": nouns.OptOut,
    "lifted": nouns.Lifted,
    "removed": nouns.Removed,
    "act": nouns.Act,
    "wired": nouns.Wired,
    "joined": nouns.Joined,
    "medium": nouns.Medium,
    "feedback": nouns.Feedback,
    "content": nouns.Content,
}
NAMES: Final = {kind: name for name, kind in KINDS.items()}


class JournalError(Exception):
    """The data folder cannot be used; the text says why and what to do."""


class _Line(msgspec.Struct):
    kind: str
    value: msgspec.Raw


class Journal:
    """A folder's journal, held by this process alone until it is closed."""

    def __init__(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = (folder / "lock").open("w")
        except OSError as error:
            raise JournalError(f"{folder}: {error.strerror}; give --data a folder that can be written") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.close()
            raise JournalError(f"{folder} is in use by another Handset; stop it or give another --data") from error
        self._path = folder / "journal.jsonl"
        self._file: io.BufferedWriter | None = None
        self._encoder = msgspec.json.Encoder()

    def load(self) -> Iterator[Entry]:
        """What was kept, oldest first."""
        if not self._path.exists():
            return
        decoders = {name: msgspec.json.Decoder(kind) for name, kind in KINDS.items()}
        lines = msgspec.json.Decoder(_Line)
        with self._path.open("rb") as file:
            for number, text in enumerate(file, start=1):
                try:
                    line = lines.decode(text)
                    yield decoders[line.kind].decode(line.value)
                except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
                    if text.endswith(b"\n"):
                        raise JournalError(f"{self._path}, line {number}: {error}; move the file away") from error

    def rewrite(self, entries: Iterable[Entry]) -> None:
        """Begin anew with these entries alone; later ones are appended. The old file stands until the new one does."""
        fresh = self._path.with_suffix(".new")
        file = fresh.open("wb")
        file.writelines(self._encode(entry) for entry in entries)
        file.flush()
        fresh.replace(self._path)
        if self._file is not None:
            self._file.close()
        self._file = file

    def append(self, entry: Entry) -> None:
        """Keep a change."""
        if self._file is None:
            raise JournalError("the journal is not open")
        self._file.write(self._encode(entry))
        self._file.flush()

    def close(self) -> None:
        """Give the folder back."""
        if self._file is not None:
            self._file.close()
        self._lock.close()

    def _encode(self, entry: Entry) -> bytes:
        return self._encoder.encode({"kind": NAMES[type(entry)], "value": entry}) + b"\n"
