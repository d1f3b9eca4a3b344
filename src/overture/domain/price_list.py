"""Price lists: a price table as a file of comma-separated values, read whole or not at all, and written.

    channel,prefix,category,price,currency
    sms,+1,,0.0079,USD
    whatsapp,+,service,0.005,USD

Files come out of spreadsheets, so a byte order mark and either kind of line end are taken; what would change a price
unseen (a decimal comma, another separator, a second row for the same numbers) is not.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.errors import Invalid
from overture.domain.prices import MICROS, Category, Price, PriceTable, amount

COLUMNS: Final = ("channel", "prefix", "category", "price", "currency")
MOST_ROWS: Final = 200_000  # every prefix of every country on both channels is a tenth of it
MOST_BYTES: Final = 16 * 1024 * 1024  # so many rows, of the longest that make sense

_TOLD: Final = 20  # wrong lines: who has more corrects these first
_HINT: Final = f"Nothing was kept. The first line is {','.join(COLUMNS)}; a price reads 0.0079."
_PREFIX: Final = re.compile(r"\+(?:[1-9][0-9]{0,14})?")
_PRICE: Final = re.compile(r"([0-9]{1,6})(?:\.([0-9]{1,6}))?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")
_CATEGORIES: Final = {
    Channel.SMS: (Category.SEGMENT,),
    Channel.WHATSAPP: (Category.SERVICE, Category.MARKETING, Category.UTILITY, Category.AUTHENTICATION),
}


class PriceList(Struct, frozen=True, kw_only=True):
    """What a file says."""

    currency: str
    rows: tuple[Price, ...]


class _WrongError(Exception):
    """A line that cannot be taken."""


def read(raw: bytes) -> PriceList:
    """The list of a file. Raises Invalid, which names every wrong line with its reason, the first twenty in full."""
    reader = csv.reader(io.StringIO(_decoded(raw), newline=""), strict=True)
    lines = _lines(reader)
    _check_header(next(lines, (1, [])))
    known: dict[tuple[Channel, str, Category], int] = {}
    rows: list[Price] = []
    currency: str | None = None
    wrong: list[str] = []
    for line, fields in lines:
        if len(rows) == MOST_ROWS:
            raise _refusal([f"Line {line}: there are more than {MOST_ROWS:,} rows."])
        try:
            row, of_row = _row(fields)
            if currency is not None and of_row != currency:
                raise _WrongError(f"its currency is {of_row}, that of the rows before {currency}; a table has one")
            before = known.setdefault((row.channel, row.prefix, row.category), line)
            if before != line:
                raise _WrongError(f"line {before} gives a price for the same numbers")
        except _WrongError as why:
            wrong.append(f"Line {line}: {why}.")
        else:
            currency = of_row
            rows.append(row)
    if wrong:
        raise _refusal(wrong)
    if currency is None:
        raise _refusal(["It has no rows."])
    return PriceList(currency=currency, rows=tuple(rows))


def write(table: PriceTable | None) -> str:
    """A table as a file that `read` takes; without one the heading alone."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in () if table is None else _sorted(table.rows):
        writer.writerow(
            (row.channel.value, row.prefix, row.category.value, amount(row.micros), "" if not table else table.currency)
        )
    return out.getvalue()


def _sorted(rows: Iterable[Price]) -> list[Price]:
    return sorted(rows, key=lambda row: (row.channel, row.category, row.prefix))


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Invalid("prices_not_utf8", "The price list is UTF-16.", field="body", hint="Save it as CSV in UTF-8.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise Invalid(
            "prices_not_utf8",
            f"The price list is not UTF-8: line {line} holds other bytes.",
            field="body",
            hint="Save it as CSV in UTF-8.",
        ) from error
    if "\0" in text:
        raise Invalid("prices_invalid", "The price list holds the character U+0000.", field="body", hint=_HINT)
    return text


def _lines(reader: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
    """Each line that says anything, with its number. Raises Invalid for what is no CSV."""
    begins = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield begins, [field.strip() for field in fields]
            begins = getattr(reader, "line_num", begins) + 1
    except csv.Error as error:
        raise _refusal([f"Line {begins}: it cannot be read ({error})."]) from error


def _check_header(first: tuple[int, list[str]]) -> None:
    line, names = first
    if not names:
        raise Invalid("prices_invalid", "The price list is empty.", field="body", hint=_HINT)
    if tuple(name.lower() for name in names) == COLUMNS:
        return
    if len(names) == 1 and (";" in names[0] or "\t" in names[0]):
        raise _refusal([f"Line {line}: its fields are not parted by commas."])
    missing = [name for name in COLUMNS if name not in [given.lower() for given in names]]
    said = f"{', '.join(missing)} is missing" if missing else "the columns stand in another order"
    raise _refusal([f"Line {line}: it must name the columns; {said}."])


def _row(fields: list[str]) -> tuple[Price, str]:
    if len(fields) != len(COLUMNS):
        comma = "; a price is written with a point" if len(fields) == len(COLUMNS) + 1 else ""
        raise _WrongError(f"it has {len(fields)} fields, not {len(COLUMNS)}{comma}")
    channel, prefix, category, price, currency = fields
    on = _channel(channel)
    if not _PREFIX.fullmatch(prefix):
        raise _WrongError(
            f"prefix {_quoted(prefix)} is not + and the first digits of a number" if prefix else "prefix is empty"
        )
    row = Price(channel=on, prefix=prefix, category=_category(on, category), micros=_micros(price))
    if not _CURRENCY.fullmatch(currency):
        raise _WrongError(
            f"currency {_quoted(currency)} is not three capital letters, as USD" if currency else "currency is empty"
        )
    return row, currency


def _channel(given: str) -> Channel:
    for channel in _CATEGORIES:
        if given.lower() == channel.value:
            return channel
    raise _WrongError(f"channel {_quoted(given)} is neither sms nor whatsapp" if given else "channel is empty")


def _category(channel: Channel, given: str) -> Category:
    for category in _CATEGORIES[channel]:
        if given.lower() == category.value:
            return category
    if channel is Channel.SMS:
        raise _WrongError(f"category {_quoted(given)} is for WhatsApp alone; leave it empty")
    raise _WrongError(
        f"category {_quoted(given)} is none of {', '.join(_CATEGORIES[channel])}" if given else "category is empty"
    )


def _micros(given: str) -> int:
    if not given:
        raise _WrongError("price is empty")
    found = _PRICE.fullmatch(given)
    if found is not None:
        return int(found[1]) * MICROS + int((found[2] or "").ljust(6, "0"))
    if given.startswith("-"):
        raise _WrongError(f"price {_quoted(given)} is negative")
    if "," in given:
        raise _WrongError(f"price {_quoted(given)} has a comma; write a point")
    if re.fullmatch(r"[0-9]+(\.[0-9]*)?", given) and given.isascii():
        few = len(given.partition(".")[0]) <= 6
        raise _WrongError(
            f"price {_quoted(given)} has more than six {'decimals' if few else 'digits before its point'}"
        )
    raise _WrongError(f"price {_quoted(given)} is no decimal number")


def _quoted(given: str) -> str:
    return repr(given if len(given) <= 40 else given[:39] + "…")


def _refusal(wrong: list[str]) -> Invalid:
    more = [f"And {len(wrong) - _TOLD} more."] if len(wrong) > _TOLD else []
    return Invalid("prices_invalid", "\n".join([*wrong[:_TOLD], *more]), field="body", hint=_HINT)
