"""The workspace's price table: bring one, look at it, take it away."""

import asyncio
from typing import Annotated, Any, Final

from msgspec import Meta, Struct

from overture.domain import numbers, price_list
from overture.domain.access import Scope
from overture.domain.channel import Channel
from overture.domain.errors import Invalid
from overture.domain.prices import Category, Price, PriceTable, amount
from overture.store import prices
from overture.web.routes import Answer, Call, delete, get, put

_MOST: Final = 1000
_CSV: Final = "text/csv"


class PriceView(Struct, frozen=True, kw_only=True):
    """One row. Of an SMS the price is a segment's; of WhatsApp a message's: `service` for any, and a template's
    category for what comes on top of it.
    """

    channel: Channel
    prefix: str
    category: Category | None
    price: Annotated[str, Meta(description="A decimal, in the table's currency.")]


class Prices(Struct, frozen=True, kw_only=True):
    """A page of the table; `revision` and `currency` are null where there is none."""

    revision: str | None
    currency: str | None
    total: int
    prices: list[PriceView]


class SavedPrices(Struct, frozen=True, kw_only=True):
    """A table is in force."""

    revision: str
    currency: str
    total: int


class ListPrices(Struct, frozen=True, kw_only=True):
    """Which rows."""

    number: (
        Annotated[str, Meta(max_length=64, description="Those that count for this number, with + and country code.")]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=_MOST, description="How many.")] = 100
    offset: Annotated[int, Meta(ge=0, le=2**31 - 1, description="How many to pass over.")] = 0


@get("/overture/v1/prices", may=Scope.READ, asks=ListPrices, gives=Prices, tag="Costs", refusals=(400,))
async def list_prices(call: Call[None, ListPrices]) -> Prices:
    """List the prices.

    All of them in pages, or those that count for one number: of each category the row with the longest prefix.
    """
    asked, table = call.query, await call.parts.store.read(lambda tx: prices.find(tx, call.workspace_id))
    if asked.number is not None:
        found = _for_number(table, asked.number)
        return _page(table, found, len(found))
    rows = () if table is None else table.rows
    return _page(table, rows[asked.offset : asked.offset + asked.limit], len(rows))


@get(
    "/overture/v1/prices/export",
    may=Scope.READ,
    gives=bytes,
    media=_CSV,
    tag="Costs",
)
async def export_prices(call: Call[None, None]) -> Answer:
    """Export the prices.

    As the file that the import takes; without a table its heading alone.
    """
    table = await call.parts.store.read(lambda tx: prices.find(tx, call.workspace_id))
    return Answer(body=price_list.write(table).encode(), content_type=b"text/csv; charset=utf-8")


@put(
    "/overture/v1/prices",
    may=Scope.WRITE,
    takes=bytes,
    takes_media=_CSV,
    gives=SavedPrices,
    tag="Costs",
    body_limit=price_list.MOST_BYTES,
)
async def import_prices(call: Call[bytes, None]) -> SavedPrices:
    """Import prices.

    The body is a CSV file with the columns channel, prefix, category, price and currency. It takes the place of the
    table that was; where a line is wrong nothing is kept, and each such line is named. What was written before keeps
    the cost that was expected then.
    """
    given = await asyncio.to_thread(price_list.read, call.body)  # of a long one it takes a second or two
    revision = call.parts.ids.new(call.now)
    table = await call.parts.store.write(lambda tx: prices.replace(tx, call.workspace_id, revision, given))
    return SavedPrices(revision=table.revision, currency=table.currency, total=len(table.rows))


@delete("/overture/v1/prices", may=Scope.WRITE, status=204, tag="Costs")
async def clear_prices(call: Call[None, None]) -> Any:
    """Clear the prices.

    No cost is expected of any message from then on.
    """
    await call.parts.store.write(lambda tx: prices.clear(tx, call.workspace_id))
    return Answer(status=204)


def _for_number(table: PriceTable | None, given: str) -> list[Price]:
    number = numbers.read_number(given)
    if number is None:
        raise Invalid(
            "invalid_request",
            f"number {given!r} is not a possible number in E.164 form.",
            field="number",
            hint="Write it with + and country code, as +15551234567.",
        )
    if table is None:
        return []
    kinds = [(Channel.SMS, Category.SEGMENT), *((Channel.WHATSAPP, one) for one in Category if one)]
    return [row for kind in kinds if (row := table.find(*kind, number)) is not None]


def _page(table: PriceTable | None, rows: Any, total: int) -> Prices:
    return Prices(
        revision=None if table is None else table.revision,
        currency=None if table is None else table.currency,
        total=total,
        prices=[
            PriceView(channel=row.channel, prefix=row.prefix, category=row.category or None, price=amount(row.micros))
            for row in rows
        ],
    )
