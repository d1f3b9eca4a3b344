"""The verbs of `overture consents`. A long list goes to the server in pieces, each with the first line of a CSV."""

import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from msgspec import structs, to_builtins
from rich.table import Table

from overture.cli import serving, telling
from overture.cli.screen import fit, for_ids, on_screen
from overture.client import Client
from overture.settings import Settings
from overture.web.api.consents import ConsentList, ImportedConsents, RecordedConsent, RefusedRow

_MAKES: Final = "`overture serve` makes it."
_PIECE: Final = 2_000  # rows of one request: it is answered well within the client's patience
_SHOWN: Final = 20
_FORMATS: Final = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
_NONE: Final = ImportedConsents(rows=0, recorded=0, known=0, refused=0, refusals=[])


def show_all(settings: Settings, asked: Mapping[str, str], *, limit: int, as_json: bool) -> None:
    """Print lines of the ledger."""
    serving.require_data(settings, _MAKES)

    async def look() -> ConsentList:
        async with serving.operator(settings) as client:
            return await client.list_consents(limit=str(limit), **_given(asked))

    found = telling.run(look())
    if as_json:
        print(json.dumps(to_builtins(found), indent=2))
        return
    if not found.consents:
        print("The ledger says nothing of this.")
        return
    table = Table(for_ids("line"), "contact", "when", "what", "how it is known", box=None, pad_edge=False)
    for one in found.consents:
        when = f"{one.at.astimezone():%Y-%m-%d\n%H:%M:%S}"
        what = f"{one.change}, {one.channel}\n{fit(one.purpose, 40)}"
        table.add_row(one.id, fit(one.number or one.contact_id, 60), when, what, _how(one.source, one.evidence))
    on_screen().print(table)
    if found.has_more:
        print(f"There are more: --after {found.consents[-1].id}")


def record(settings: Settings, told: Mapping[str, Any]) -> None:
    """Record what is known of a contact."""
    serving.require_data(settings, _MAKES)

    async def ask() -> RecordedConsent:
        async with serving.operator(settings) as client:
            return await client.record_consent(**told)

    done = telling.run(ask())
    print("This was recorded before." if done.outcome == "known" else "Recorded.")


def read_in(
    settings: Settings, file: Path, *, form: str | None, all_or_nothing: bool, dry_run: bool, as_json: bool
) -> None:
    """Import a list; ends with status 1 where a row was refused."""
    serving.require_data(settings, _MAKES)
    written = _format(file, form)
    pieces = list(_pieces(file.read_bytes(), written))

    async def send(client: Client, *, looks: bool) -> ImportedConsents:
        total = _NONE
        for before, piece in pieces:
            done = await client.import_consents(piece, format=written, dry_run="true" if looks else "false")
            total = _added(total, done, before)
        return total

    async def work() -> tuple[ImportedConsents, bool]:
        async with serving.operator(settings) as client:
            if dry_run or all_or_nothing:
                checked = await send(client, looks=True)
                if dry_run or checked.refused:
                    return checked, False
            return await send(client, looks=False), True

    done, was_taken = telling.run(work())
    if as_json:
        print(json.dumps({**to_builtins(done), "taken": was_taken}, indent=2))
    else:
        _tell(done, was_taken=was_taken)
    if done.refused:
        sys.exit(telling.WRONG)


def write_out(settings: Settings, file: Path, asked: Mapping[str, str], *, form: str | None) -> None:
    """Export the ledger into a file."""
    serving.require_data(settings, _MAKES)
    to_screen = str(file) == "-"
    written = (form or "jsonl") if to_screen else _format(file, form)

    async def work() -> int:
        size = 0
        async with serving.operator(settings) as client:
            with sys.stdout.buffer if to_screen else file.open("xb") as out:
                async for piece in client.export_consents(format=written, **_given(asked)):
                    size += out.write(piece)
        return size

    size = telling.run(work())
    if not to_screen:
        print(f"{file}: {size} bytes.")


def _given(asked: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in asked.items() if value}


def _format(file: Path, form: str | None) -> str:
    written = form or _FORMATS.get(file.suffix.lower())
    if written not in ("csv", "jsonl"):
        telling.stop(f"{file}: CSV or JSON lines?", hint="Say --format csv or --format jsonl.", status=telling.MISUSED)
    return written


def _pieces(body: bytes, written: str) -> Iterator[tuple[int, bytes]]:
    """A list cut into pieces of whole rows, each with how many lines of the list come before its own."""
    body = body.removeprefix(b"\xef\xbb\xbf")
    if written == "jsonl":
        lines = body.split(b"\n")
        for start in range(0, len(lines), _PIECE):
            yield start, b"\n".join(lines[start : start + _PIECE])
        return
    lines = body.splitlines(keepends=True)
    ends = _ends_of_pieces(lines)
    first = b"".join(lines[: ends[0]])
    if len(ends) == 1:
        yield 0, body
    for start, end in pairwise(ends):
        yield start - ends[0], first + b"".join(lines[start:end])


def _ends_of_pieces(lines: Sequence[bytes]) -> list[int]:
    """After how many lines the names end, and each piece: a quoted field may run over several lines."""
    reader = csv.reader(line.decode("latin-1") for line in lines)
    ends: list[int] = []
    rows = 0
    while True:
        try:
            if next(reader, None) is None:
                break
        except csv.Error:  # the server tells what is wrong there
            pass
        if rows % _PIECE == 0:
            ends.append(reader.line_num)
        rows += 1
    if not ends or ends[-1] < len(lines):
        ends.append(len(lines))
    return ends


def _added(total: ImportedConsents, done: ImportedConsents, before: int) -> ImportedConsents:
    refusals = [structs.replace(one, line=one.line + before) for one in done.refusals]
    return ImportedConsents(
        rows=total.rows + done.rows,
        recorded=total.recorded + done.recorded,
        known=total.known + done.known,
        refused=total.refused + done.refused,
        refusals=total.refusals + refusals,
    )


def _tell(done: ImportedConsents, *, was_taken: bool) -> None:
    for one in done.refusals[:_SHOWN]:
        print(_refusal(one), file=sys.stderr)
    if done.refused > _SHOWN:
        print(f"… and {done.refused - _SHOWN} more rows; --json tells them.", file=sys.stderr)
    rows = "1 row" if done.rows == 1 else f"{done.rows} rows"
    counted = f"{done.known} known before, {done.refused} refused"
    if was_taken:
        print(f"{rows}: {done.recorded} recorded, {counted}.")
    else:
        print(f"{rows}, none taken: {done.rows - done.known - done.refused} are good, {counted}.")


def _refusal(one: RefusedRow) -> str:
    return f"line {one.line}: {fit(one.description, 300)}"


def _how(source: str, evidence: str) -> str:
    return fit(f"{source}: {evidence}" if evidence else source, 200)
