"""Prices: what a message will cost, by a table that the operator brings.

A row gives the price of an SMS segment or of a WhatsApp message to numbers that begin with its prefix; the longest
prefix counts. Amounts are whole millionths of the table's currency: sums of them are exact. What has no row has no
known price, which is not the same as costing nothing.

WhatsApp since July 2025 (Meta's pricing updates): the provider's own fee for every message, which the row `service`
gives, and Meta's for each template, which its category's row gives. Marketing and authentication always cost it,
utility only outside the customer service window; free text costs nothing beside the provider's fee.
"""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain.channel import Channel
from overture.domain.template import Category as TemplateCategory

MICROS: Final = 1_000_000
_PLACES: Final = 6


class Category(StrEnum):
    """What a price is for: a segment of an SMS, any WhatsApp message, or what Meta takes for a template beside that."""

    SEGMENT = ""
    SERVICE = "service"
    MARKETING = "marketing"
    UTILITY = "utility"
    AUTHENTICATION = "authentication"


_OF_TEMPLATE: Final = {
    TemplateCategory.MARKETING: Category.MARKETING,
    TemplateCategory.UTILITY: Category.UTILITY,
    TemplateCategory.AUTHENTICATION: Category.AUTHENTICATION,
}


class Cost(Struct, frozen=True, kw_only=True):
    """An amount of money, in millionths."""

    micros: int
    currency: str


class Price(Struct, frozen=True, kw_only=True):
    """One row: what numbers that begin with `prefix` cost on a channel."""

    channel: Channel
    prefix: str
    category: Category
    micros: int


class PriceTable:
    """A whole table, to be asked often: `revision` names it among all others."""

    __slots__ = ("_kinds", "_longest", "currency", "revision", "rows")

    def __init__(self, *, revision: str, currency: str, rows: Iterable[Price]) -> None:
        self.revision: Final = revision
        self.currency: Final = currency
        self.rows: Final = tuple(rows)
        self._kinds: Final[dict[tuple[Channel, Category], dict[str, int]]] = {}
        for row in self.rows:
            self._kinds.setdefault((row.channel, row.category), {})[row.prefix] = row.micros
        self._longest: Final = max((len(row.prefix) for row in self.rows), default=0)

    def find(self, channel: Channel, category: Category, number: str) -> Price | None:
        """The row that counts for a number: the one with the longest prefix."""
        prefix, micros = self._found(channel, category, number)
        return None if micros is None else Price(channel=channel, prefix=prefix, category=category, micros=micros)

    def micros_of(self, channel: Channel, category: Category, number: str) -> int | None:
        """The price for a number."""
        return self._found(channel, category, number)[1]

    def _found(self, channel: Channel, category: Category, number: str) -> tuple[str, int | None]:
        if known := self._kinds.get((channel, category)):
            prefix = number[: self._longest]
            while prefix:
                if (micros := known.get(prefix)) is not None:
                    return prefix, micros
                prefix = prefix[:-1]
        return "", None


def estimate(
    table: PriceTable | None,
    channel: Channel,
    number: str,
    *,
    segments: int | None,
    category: TemplateCategory | None = None,
    is_template: bool = False,
    is_window_open: bool = False,
) -> Cost | None:
    """What one message will cost; None where that is not known, which a template of unknown category makes it."""
    if table is None or segments is None:
        return None
    match channel:
        case Channel.SMS:
            each = table.micros_of(channel, Category.SEGMENT, number)
            return None if each is None else Cost(micros=each * segments, currency=table.currency)
        case Channel.WHATSAPP:
            wanted = [Category.SERVICE]
            if is_template:
                if category is None:
                    return None
                if not (category is TemplateCategory.UTILITY and is_window_open):
                    wanted.append(_OF_TEMPLATE[category])
            found = [table.micros_of(channel, one, number) for one in wanted]
            micros = [one for one in found if one is not None]
            return Cost(micros=sum(micros), currency=table.currency) if len(micros) == len(wanted) else None
        case Channel.API:
            return None


def amount(micros: int) -> str:
    """An amount as people and JSON have it: decimal, with no zeros to spare beyond cents."""
    whole, part = divmod(abs(micros), MICROS)
    digits = f"{part:0{_PLACES}d}".rstrip("0").ljust(2, "0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits}"
