"""Look through a provider's list, which changes while it is read.

New messages push those that were read on to the next page, which then repeats them: each counts once. Pages end; a list
that does not reach back as far as was asked is told as such, for it proves nothing of what is not in it.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.ports import Provider, ProviderMessage

MOST_PAGES: Final = 10


class Listing(Struct, frozen=True, kw_only=True):
    """What a list had, and how far back it was read: None for to its end."""

    found: tuple[ProviderMessage, ...]
    back_to: datetime | None

    def reaches(self, instant: datetime) -> bool:
        """Whether everything since an instant was read."""
        return self.back_to is None or self.back_to < instant


async def read_list(
    provider: Provider, account_sid: str, *, sender: str | None, to: str | None, since: datetime, page_size: int
) -> Listing:
    """An account's messages down to an instant, at most `MOST_PAGES` pages of them. Raises Failure.

    The newest word on each counts. A page is read to its end: the order within a second is the provider's.
    """
    found: dict[str, ProviderMessage] = {}
    oldest: datetime | None = None
    pages = 0
    async for page in provider.list_pages(account_sid, page_size=page_size, sender=sender, to=to):
        pages += 1
        found |= {message.sid: message for message in page.messages}
        if page.is_last:
            return Listing(found=tuple(found.values()), back_to=None)
        oldest = min((message.created_at for message in page.messages), default=oldest)
        if pages == MOST_PAGES or (oldest is not None and oldest < since):
            break
    return Listing(found=tuple(found.values()), back_to=oldest or since)
