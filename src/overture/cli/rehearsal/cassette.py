"""A cassette: what models answered once, a JSON line for each request, so that the same request has the same answer.

It is strict: a request that it does not hold is not answered, and is told with what differs from the nearest that it
does. The whole request stands beside its answer, for whoever reviews the file.
"""

import difflib
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from overture.cli.rehearsal.telling import tell_request
from overture.domain.errors import Invalid
from overture.domain.ports import ModelClient
from overture.domain.turn import ModelAnswered, ModelRequest

LARGEST: Final = 50 * 1024 * 1024  # bytes


class Line(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request with its answer."""

    digest: str
    request: ModelRequest
    answer: ModelAnswered


_read: Final = msgspec.json.Decoder(Line).decode


class Cassette:
    """The answers of one file. With `live`, what it does not hold is asked there and kept."""

    def __init__(self, lines: Mapping[str, Line], live: ModelClient | None) -> None:
        self._lines: Final = dict(lines)
        self._live: Final = live
        self._used: Final[dict[str, Line]] = {}

    async def find(self, request: ModelRequest, *, timeout_seconds: float) -> ModelAnswered | None:
        """The answer, None where there is none."""
        digest = digest_of(request)
        line = self._lines.get(digest)
        if line is None and self._live is not None:
            answer = await self._live.complete(request, timeout_seconds=timeout_seconds)
            line = self._lines[digest] = Line(digest=digest, request=request, answer=answer)
        if line is None:
            return None
        self._used[digest] = line
        return line.answer

    def tell_miss(self, request: ModelRequest) -> str:
        """What a request has that the nearest one on the cassette has not, and the other way round."""
        asked = tell_request(request).splitlines()
        held = [tell_request(line.request).splitlines() for line in self._lines.values()]
        nearest = max(held, key=lambda one: difflib.SequenceMatcher(None, one, asked).ratio(), default=[])
        if not nearest:
            return "\n".join(asked)
        compared = difflib.unified_diff(nearest, asked, "on the cassette", "asked now", lineterm="", n=1)
        return "\n".join(f"  {line}" for line in compared)

    def write(self, file: Path, *, whole: bool) -> int:
        """Keep it; of a `whole` run only what was used. How many lines it has. Raises OSError."""
        kept = self._used if whole else self._lines
        file.write_bytes(b"".join(msgspec.json.encode(line) + b"\n" for line in kept.values()))
        return len(kept)


def read_cassette(file: Path, live: ModelClient | None) -> Cassette:
    """The cassette of a file; an empty one where there is none and it is to be recorded. Raises Invalid."""
    if live is not None and not file.exists():
        return Cassette({}, live)
    hint = "`overture test --record` writes it, with the models of the settings."
    lines: dict[str, Line] = {}
    try:
        if file.stat().st_size > LARGEST:
            raise Invalid("cassette_invalid", f"{file} is too large for a cassette.", hint="Split the script.")
        for number, text in enumerate(file.read_bytes().splitlines(), 1):
            line = _read(text) if text.strip() else None
            if line is not None and line.digest != digest_of(line.request):
                raise Invalid("cassette_invalid", f"{file}, line {number}: its request was changed.", hint=hint)
            lines |= {} if line is None else {line.digest: line}
    except OSError as missing:
        raise Invalid("cassette_invalid", f"{file} cannot be read: {missing.strerror}.", hint=hint) from missing
    except (msgspec.MsgspecError, ValueError, RecursionError) as wrong:
        raise Invalid("cassette_invalid", f"{file}, line {len(lines) + 1}: {wrong}.", hint=hint) from wrong
    return Cassette(lines, live)


def digest_of(request: ModelRequest) -> str:
    """What tells one request from another: all of it."""
    return sha256(msgspec.json.encode(request)).hexdigest()[:32]
