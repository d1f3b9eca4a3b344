"""Listing messages: newest first, in pages that stay in place while new messages arrive.

A page token names the message that stands before the page (`PA` and its SID) or behind it (`PB`), so a walk along
`next_page_uri` sees each message once. Both directions are listed; the carrier's own keyword answers are not.
"""

import itertools
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from handset.api import shape
from handset.api.refusals import TwilioError
from handset.state.nouns import Message
from handset.state.store import Store

PAGE_SIZE: Final = 50
LARGEST_PAGE: Final = 1000
TOKEN: Final = re.compile(r"P[AB](SM|MM)[0-9a-f]{32}")
FILTERS: Final = ("To", "From", "DateSent", "DateSent<", "DateSent>")


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which page of which messages."""

    account_sid: str
    filters: Mapping[str, str]
    at: datetime
    page_size: int
    page: int
    token: str | None

    def uri(self, *, page: int, token: str | None) -> str:
        """The address of another page of the same list."""
        query = {**self.filters, "PageSize": self.page_size, "Page": page} | ({"PageToken": token} if token else {})
        return f"{shape.ROOT}/{self.account_sid}/Messages.json?{urlencode(query)}"

    def matches(self, message: Message) -> bool:
        """Whether the message belongs in the list."""
        if message.auto or message.account_sid != self.account_sid:
            return False
        if message.listed_at is not None and self.at < message.listed_at:
            return False
        if self.filters.get("To", message.to_address) != message.to_address:
            return False
        if self.filters.get("From", message.from_address) != message.from_address:
            return False
        return all(_dated(message.sent_at, name, self.filters[name]) for name in FILTERS[2:] if name in self.filters)


def read(query: Iterable[tuple[str, str]], *, account_sid: str, now: datetime) -> Asked:
    """What a query string asks for, at this instant; raises TwilioError for what cannot be understood."""
    given = dict(query)
    filters = {name: given[name] for name in FILTERS if given.get(name)}
    for name in FILTERS[2:]:
        if name in filters:
            _day_or_instant(filters[name])
    token = given.get("PageToken") or None
    if token is not None and not TOKEN.fullmatch(token):
        raise TwilioError(20001, "PageToken")
    size = _whole(given.get("PageSize"), name="PageSize", default=PAGE_SIZE)
    return Asked(
        account_sid=account_sid,
        filters=filters,
        at=now,
        page_size=max(1, min(size, LARGEST_PAGE)),
        page=_whole(given.get("Page"), name="Page", default=0),
        token=token,
    )


def page(asked: Asked, store: Store) -> Mapping[str, Any]:
    """The page, as the REST API writes it."""
    rows, more = _rows(asked, store)
    start = asked.page * asked.page_size
    following = asked.uri(page=asked.page + 1, token=f"PA{rows[-1].sid}") if more else None
    backward = asked.page > 0 and rows
    return {
        "messages": [shape.message(row) for row in rows],
        "page": asked.page,
        "page_size": asked.page_size,
        "start": start,
        "end": start + max(len(rows) - 1, 0),
        "uri": asked.uri(page=asked.page, token=asked.token),
        "first_page_uri": asked.uri(page=0, token=None),
        "next_page_uri": following,
        "previous_page_uri": asked.uri(page=asked.page - 1, token=f"PB{rows[0].sid}") if backward else None,
    }


def _rows(asked: Asked, store: Store) -> tuple[list[Message], bool]:
    address = asked.filters.get("To") or asked.filters.get("From")
    if asked.token is not None and asked.token.startswith("PB"):
        behind = store.order_of(asked.token[2:])
        newer = [
            row
            for row in store.newest_first(address=address, before=None)
            if behind is not None and (store.order_of(row.sid) or 0) > behind and asked.matches(row)
        ]
        return newer[-asked.page_size :], bool(newer)
    before = asked.token[2:] if asked.token else None
    found = filter(asked.matches, store.newest_first(address=address, before=before))
    skipped = 0 if asked.token else asked.page * asked.page_size
    rows = list(itertools.islice(found, skipped, skipped + asked.page_size + 1))
    return rows[: asked.page_size], len(rows) > asked.page_size


def _dated(sent_at: datetime | None, name: str, text: str) -> bool:
    begin, end = _day_or_instant(text)
    if sent_at is None:
        return False
    match name:
        case "DateSent<":  # the name's `=` is the query string's own: up to and including
            return sent_at < end
        case "DateSent>":
            return sent_at >= begin
        case _:
            return begin <= sent_at < end


def _day_or_instant(text: str) -> tuple[datetime, datetime]:
    """The span that a day or a second covers."""
    try:
        # a `+` of an unescaped zone arrives as a blank
        instant = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text.strip())
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        return instant, instant + (timedelta(days=1) if len(text.strip()) <= 10 else timedelta(seconds=1))
    except (ValueError, OverflowError):
        raise TwilioError(20001, f"DateSent {text}") from None


def _whole(text: str | None, *, name: str, default: int) -> int:
    if not text:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise TwilioError(20001, name)
    return int(text)
