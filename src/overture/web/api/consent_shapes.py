"""How consent is told to our own API, and by it: one line of the ledger in JSON, and lists of them in two formats.

An exported list can be read in again: what only the ledger can know (ids, when and by whom a line was written down)
is read over.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from overture.domain import identity
from overture.domain.consent_row import ConsentChange, Row
from overture.domain.errors import Invalid
from overture.store.consents import Line
from overture.web import reading

CSV: Final = "text/csv"
JSON_LINES: Final = "application/x-ndjson"

_WORD: Final = r"^[A-Za-z0-9][A-Za-z0-9 _.-]*$"
_NUL: Final = "\x00"
_TRUE: Final = frozenset({"true", "yes", "1"})


class ConsentFormat(StrEnum):
    """How a list of consent is written."""

    JSONL = "jsonl"
    CSV = "csv"


class RecordConsent(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is told of one contact."""

    number: Annotated[
        str, Meta(min_length=1, max_length=200, description="The contact's number with + and country code, or a BSUID.")
    ]
    change: Annotated[
        ConsentChange,
        Meta(
            description="grant: agreed; revoke: took a grant back; opt_out: wants no message any more, which ends what "
            "goes on; opt_in: asked again after an opt-out; evidence: for the record."
        ),
    ]
    source: Annotated[
        str, Meta(min_length=1, max_length=200, description="How it is known: a form, a call, another system.")
    ]
    channel: Annotated[Literal["sms", "whatsapp", "any"], Meta(description="For which channel.")] = "any"
    purpose: Annotated[
        str,
        Meta(
            max_length=64,
            pattern=rf"^$|{_WORD}",
            description="What for: marketing, transactional, a word of yours, or any. A grant must say it.",
        ),
    ] = ""
    evidence: Annotated[str, Meta(max_length=2000, description="The words that were agreed to, or that were said.")] = (
        ""
    )
    at: Annotated[datetime, Meta(tz=True, description="When it happened, with its zone; else now.")] | None = None
    sender: (
        Annotated[str, Meta(min_length=1, max_length=64, description="Your number it was said to, where it was.")]
        | None
    ) = None
    asked_by_contact: Annotated[
        bool, Meta(description="Of an opt-in: you assure that the contact itself asked for it.")
    ] = False
    key: (
        Annotated[
            str, Meta(min_length=1, max_length=200, description="Your name for the row: it is taken once, never twice.")
        ]
        | None
    ) = None


class ImportedRow(RecordConsent, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A row of a list; what an exported list has besides is read over."""

    id: str | None = None
    contact_id: str | None = None
    recorded_at: str | None = None
    recorded_by: str | None = None


class ConsentView(Struct, frozen=True, kw_only=True):
    """A line of the ledger. `at` is when it happened, `recorded_at` when it was written down, `recorded_by` by whom."""

    id: str
    contact_id: str
    number: str | None
    channel: str
    purpose: str
    change: str
    source: str
    evidence: str
    at: datetime
    sender: str | None
    recorded_at: datetime
    recorded_by: str | None


COLUMNS: Final = ConsentView.__struct_fields__
_ACCEPTED: Final = frozenset(ImportedRow.__struct_fields__)
_body: Final = reading.BodyReader(ImportedRow)


class Read(Struct, frozen=True, kw_only=True):
    """A row of a list by its line, or why it cannot be read."""

    line: int
    row: Row | None = None
    wrong: Invalid | None = None


def view_of(line: Line) -> ConsentView:
    """A line as the API tells it."""
    return ConsentView(
        id=line.id,
        contact_id=line.contact_id,
        number=line.address,
        channel=line.channel,
        purpose=line.purpose,
        change=line.change,
        source=line.source,
        evidence=line.evidence,
        at=line.at,
        sender=line.sender_address,
        recorded_at=line.recorded_at,
        recorded_by=line.recorded_by,
    )


def row_of(asked: RecordConsent) -> Row:
    """What is told, in the domain's words. Raises Invalid, naming the field."""
    address = identity.read(asked.number)
    if address is None:
        raise Invalid(
            "address_invalid",
            "number is neither a possible number nor a BSUID.",
            field="number",
            hint="Write it with + and country code, as +15551234567.",
        )
    return Row(
        address=address,
        channel=asked.channel,
        change=asked.change,
        purpose=asked.purpose.strip().casefold(),
        source=asked.source,
        evidence=asked.evidence,
        at=asked.at,
        sender=asked.sender,
        asked_by_contact=asked.asked_by_contact,
        key=asked.key,
    )


def read_list(body: bytes, form: ConsentFormat) -> Iterator[Read]:
    """The rows of a list, one by one. Raises Invalid where it is no list at all."""
    return _read_csv(body) if form is ConsentFormat.CSV else _read_json_lines(body)


def write_list(lines: Sequence[Line], form: ConsentFormat) -> bytes:
    """Lines of the ledger in a format, without a heading."""
    if form is ConsentFormat.JSONL:
        return b"".join(msgspec.json.encode(view_of(line)) + b"\n" for line in lines)
    out = io.StringIO()
    writer = csv.writer(out)
    for line in lines:
        told = msgspec.to_builtins(view_of(line))
        writer.writerow(["" if told[name] is None else told[name] for name in COLUMNS])
    return out.getvalue().encode()


def heading(form: ConsentFormat) -> bytes:
    """What stands above a list."""
    return b"" if form is ConsentFormat.JSONL else (",".join(COLUMNS) + "\r\n").encode()


def _read_json_lines(body: bytes) -> Iterator[Read]:
    for line, text in enumerate(body.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if not text.strip():
            continue
        try:
            yield Read(line=line, row=row_of(_body.read(text)))
        except Invalid as wrong:
            yield Read(line=line, wrong=wrong)


def _read_csv(body: bytes) -> Iterator[Read]:
    """Quoted fields may run over lines; a row's line is its last one."""
    text = body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape")
    reader = csv.reader(io.StringIO(text, newline=""))
    names: list[str] | None = None
    while True:
        try:
            fields = next(reader)
        except StopIteration:
            return
        except csv.Error as wrong:
            yield Read(line=reader.line_num, wrong=_unreadable(f"The line is not CSV: {wrong}."))
            continue
        if not any(field.strip() for field in fields):
            continue
        if names is None:
            names = _names(fields)
            continue
        try:
            yield Read(line=reader.line_num, row=_row_of_csv(names, fields))
        except Invalid as wrong:
            yield Read(line=reader.line_num, wrong=wrong)


def _names(fields: Sequence[str]) -> list[str]:
    names = [field.strip().casefold() for field in fields]
    if any("\x00" in name or (not name.isascii() and not name.isprintable()) for name in names):
        raise Invalid("invalid_request", "The list is not UTF-8 text.", hint="Save it as CSV in UTF-8.")
    unknown = sorted(set(names) - _ACCEPTED)
    if unknown or len(set(names)) != len(names) or "number" not in names:
        shown = ", ".join(ascii(name[:40]) for name in unknown[:5])
        raise Invalid(
            "invalid_request",
            f"The list's first line names columns that there are not: {shown}."
            if unknown
            else "The list's first line must name each column once, number among them.",
            hint=f"Columns are {', '.join(RecordConsent.__struct_fields__)}.",
        )
    return names


def _row_of_csv(names: Sequence[str], fields: Sequence[str]) -> Row:
    if len(fields) != len(names):
        raise _unreadable(f"The row has {len(fields)} fields, the first line {len(names)}.")
    if any(_NUL in field for field in fields):
        raise _unreadable("Texts must not hold the character U+0000.")
    try:
        "".join(fields).encode()
    except UnicodeEncodeError as wrong:
        raise _unreadable("The row is not UTF-8.") from wrong
    told: dict[str, Any] = {name: field for name, field in zip(names, fields, strict=True) if field.strip()}
    if "asked_by_contact" in told:
        told["asked_by_contact"] = told["asked_by_contact"].strip().casefold() in _TRUE
    return row_of(reading.convert(told, ImportedRow))


def _unreadable(why: str) -> Invalid:
    return Invalid("invalid_request", why, hint="Mend the line, and send the list again: what was taken is known.")
