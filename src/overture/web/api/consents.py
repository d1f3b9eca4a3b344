"""Consent: the ledger of who agreed to what, told line by line or as a list, and read as one."""

from collections.abc import AsyncIterator, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Annotated, Any, Final, Literal

from msgspec import Meta, Struct

from overture.actions.record_consents import Taken, check_consents, record_consents
from overture.domain import identity
from overture.domain.access import Scope
from overture.domain.errors import Invalid, Refusal
from overture.store import consents, identities
from overture.store.consents import Line, Wanted
from overture.web.api import consent_shapes
from overture.web.api.consent_shapes import ConsentFormat, ConsentView, Read, RecordConsent
from overture.web.routes import Answer, Call, get, post

LIST_BODY: Final = 32 * 1024 * 1024  # 100,000 rows with a sentence of evidence each
_CHUNK: Final = 500  # rows of one commit: others who write wait a tenth of a second at most
_PAGE: Final = 500
_MOST_TOLD: Final = 1000  # refused rows that are told one by one
_OWNER: Final = "owner"  # who comes by the socket of the data folder has no key to be named by
_NOBODY: Final = "nobody"  # no contact has this id


class ListConsents(Struct, frozen=True, kw_only=True):
    """Which lines of the ledger."""

    number: Annotated[str, Meta(max_length=200, description="Of the contact with this number (+ as %2B) or BSUID.")] = (
        ""
    )
    contact_id: Annotated[str, Meta(max_length=64, description="Of this contact.")] = ""
    channel: Annotated[
        Literal["", "sms", "whatsapp", "any"], Meta(description="sms, whatsapp or any, as the line says.")
    ] = ""
    change: Annotated[
        Literal["", "grant", "revoke", "opt_out", "opt_in", "evidence"],
        Meta(description="grant, revoke, opt_out, opt_in or evidence: those alone."),
    ] = ""
    since: Annotated[datetime, Meta(tz=True, description="What happened at or after this time.")] | None = None


class PageConsents(ListConsents, frozen=True, kw_only=True):
    """Which lines, and which page of them."""

    after: Annotated[str, Meta(max_length=64, description="Those after this line's id.")] = ""
    limit: Annotated[int, Meta(ge=1, le=_PAGE, description="How many.")] = 100


class ExportConsents(ListConsents, frozen=True, kw_only=True):
    """Which lines, and how they are written."""

    format: Annotated[ConsentFormat, Meta(description="jsonl or csv.")] = ConsentFormat.JSONL


class ImportConsents(Struct, frozen=True, kw_only=True):
    """How a list is taken."""

    format: Annotated[ConsentFormat, Meta(description="jsonl or csv.")] = ConsentFormat.JSONL
    all_or_nothing: Annotated[bool, Meta(description="Take no row where any is refused.")] = False
    dry_run: Annotated[bool, Meta(description="Say what would be refused, and take nothing.")] = False


class ConsentList(Struct, frozen=True, kw_only=True):
    """A page of the ledger, in the order in which it was written down."""

    consents: list[ConsentView]
    has_more: bool


class RecordedConsent(Struct, frozen=True, kw_only=True):
    """What became of a row: `recorded`, or `known` where it was taken before."""

    outcome: Taken


class RefusedRow(Struct, frozen=True, kw_only=True):
    """A row that was not taken, by its line in the list."""

    line: int
    code: str
    description: str
    field: str | None
    hint: str | None


class ImportedConsents(Struct, frozen=True, kw_only=True):
    """What became of a list. `known` rows were taken before; of the refused ones the first 1,000 are told."""

    rows: int
    recorded: int
    known: int
    refused: int
    refusals: list[RefusedRow]


@get(
    "/overture/v1/consents",
    may=Scope.READ,
    asks=PageConsents,
    gives=ConsentList,
    tag="Consent",
    refusals=(400,),
)
async def list_consents(call: Call[None, PageConsents]) -> ConsentList:
    """List the ledger.

    What was recorded, told by contacts or imported, and never changed since. Pass the last line's id as `after` for
    the next page.
    """
    wanted = await _wanted(call)
    asked = call.query
    found = await call.parts.store.read(
        lambda tx: consents.list_after(tx, call.workspace_id, wanted, asked.after, asked.limit + 1)
    )
    page = [consent_shapes.view_of(line) for line in found[: asked.limit]]
    return ConsentList(consents=page, has_more=len(found) > asked.limit)


@post(
    "/overture/v1/consents",
    may=Scope.WRITE,
    takes=RecordConsent,
    gives=RecordedConsent,
    tag="Consent",
    example={
        "number": "+15559876543",
        "change": "grant",
        "channel": "sms",
        "purpose": "marketing",
        "source": "web form",
        "evidence": "Yes, text me offers.",
    },
    refusals=(400,),
)
async def record_consent(call: Call[RecordConsent, None]) -> RecordedConsent | Refusal:
    """Record what is known of a contact's consent.

    An opt-out ends what goes on with the contact and takes back what waits, as a STOP does. A grant never lifts an
    opt-out; an `opt_in` does, with the contact's own words, said after it. The very same row twice is recorded once.
    """
    row = consent_shapes.row_of(call.body)
    [answer] = await call.parts.store.write(
        lambda tx: record_consents(tx, call.workspace_id, [row], call.now, call.parts.ids, _who(call))
    )
    return answer if isinstance(answer, Refusal) else RecordedConsent(outcome=answer)


@post(
    "/overture/v1/consents/import",
    may=Scope.WRITE,
    takes=bytes,
    asks=ImportConsents,
    gives=ImportedConsents,
    tag="Consent",
    body_limit=LIST_BODY,
    refusals=(400, 413),
)
async def import_consents(call: Call[bytes, ImportConsents]) -> ImportedConsents:
    """Read a list of consent.

    JSON lines, or CSV whose first line names the columns; a row has the fields of a single record. Each row is
    answered for itself: what is good is taken, 500 rows a commit, what is not is told with its line. Send a list again
    at any time: rows that were taken change nothing.
    """
    asked = call.query
    if asked.all_or_nothing or asked.dry_run:
        checked = await _take(call, writes=False)
        if asked.dry_run or checked.refused:
            return checked
    return await _take(call, writes=True)


@get(
    "/overture/v1/consents/export",
    may=Scope.READ,
    asks=ExportConsents,
    gives=bytes,
    media="application/octet-stream",
    tag="Consent",
    refusals=(400,),
)
async def export_consents(call: Call[None, ExportConsents]) -> Answer:
    """Export the ledger as a list.

    As JSON lines or CSV, in the order in which it was written down. It can be imported elsewhere; opt-ins only once
    somebody assures that the contacts asked for them.
    """
    wanted = await _wanted(call)
    form = call.query.format

    async def pages() -> AsyncIterator[bytes]:
        above, after = consent_shapes.heading(form), ""
        while lines := await _page(call, wanted, after):
            after = lines[-1].id
            yield above + consent_shapes.write_list(lines, form)
            above = b""
        yield above

    kind = consent_shapes.CSV + "; charset=utf-8" if form is ConsentFormat.CSV else consent_shapes.JSON_LINES
    named = f'attachment; filename="consents.{form.value}"'.encode()
    return Answer(body=pages(), content_type=kind.encode(), headers=((b"content-disposition", named),))


async def _page(call: Call[Any, Any], wanted: Wanted, after: str) -> list[Line]:
    return await call.parts.store.read(lambda tx: consents.list_after(tx, call.workspace_id, wanted, after, _PAGE))


async def _take(call: Call[bytes, ImportConsents], *, writes: bool) -> ImportedConsents:
    """Take a list, or only look what would be refused, chunk by chunk."""
    rows = known = refused = 0
    told: list[RefusedRow] = []
    reader = consent_shapes.read_list(call.body, call.query.format)
    while chunk := list(islice(reader, _CHUNK)):
        answers = await _answer(call, chunk, writes=writes)
        rows += len(chunk)
        known += sum(answer is Taken.KNOWN for answer in answers)
        wrong = [(read.line, one) for read, one in zip(chunk, answers, strict=True) if isinstance(one, Refusal)]
        refused += len(wrong)
        told += [_refused(line, one) for line, one in wrong[: _MOST_TOLD - len(told)]]
    recorded = rows - known - refused
    if not writes and refused and call.query.all_or_nothing:
        recorded = 0
    return ImportedConsents(rows=rows, recorded=recorded, known=known, refused=refused, refusals=told)


async def _answer(
    call: Call[bytes, ImportConsents], chunk: Sequence[Read], *, writes: bool
) -> Sequence[Taken | Refusal]:
    good = [read.row for read in chunk if read.row is not None]
    if writes:
        answers: Iterable[Taken | Refusal] = await call.parts.store.write(
            lambda tx: record_consents(tx, call.workspace_id, good, call.now, call.parts.ids, _who(call))
        )
    else:
        answers = await call.parts.store.read(lambda tx: check_consents(tx, call.workspace_id, good, call.now))
    of_good = iter(answers)
    return [next(of_good) if read.wrong is None else read.wrong for read in chunk]


def _refused(line: int, one: Refusal) -> RefusedRow:
    return RefusedRow(line=line, code=one.code, description=one.description, field=one.field, hint=one.hint)


def _who(call: Call[Any, Any]) -> str:
    return f"key {call.principal.kid}" if call.principal.kid is not None else _OWNER


async def _wanted(call: Call[None, Any]) -> Wanted:
    asked: ListConsents = call.query
    contact_id = asked.contact_id or None
    if asked.number:
        key = identity.read(asked.number)
        if key is None:
            raise Invalid(
                "address_invalid",
                "number is neither a number nor a BSUID.",
                field="number",
                hint="Write the plus of a number as %2B: ?number=%2B15550100001.",
            )
        who = (call.workspace_id, key)
        found = (await call.parts.store.read(lambda tx: identities.find_by_addresses(tx, [who]))).get(who)
        contact_id = _NOBODY if found is None or contact_id not in (None, found.id) else found.id
    return Wanted(contact_id=contact_id, channel=asked.channel, change=asked.change, since=asked.since)
