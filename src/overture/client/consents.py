"""The client's calls about consent."""

from collections.abc import AsyncIterator
from typing import Any

from overture.client.calling import Caller
from overture.web.api.consents import ConsentList, ImportedConsents, RecordedConsent


class ConsentCalls(Caller):
    """Calls about the ledger of consent."""

    async def list_consents(self, **query: str) -> ConsentList:
        """Lines of the ledger, by `number`, `contact_id`, `channel`, `change`, `since`, `after` and `limit`."""
        return await self._get(ConsentList, "/overture/v1/consents", query=query)

    async def record_consent(self, **fields: Any) -> RecordedConsent:
        """Record what is known of a contact; `fields` are those of `RecordConsent`."""
        return await self._get(RecordedConsent, "/overture/v1/consents", fields, method="POST")

    async def import_consents(self, body: bytes, **query: str) -> ImportedConsents:
        """Have a list read; `query` is `format`, `all_or_nothing` and `dry_run`."""
        return await self._get(ImportedConsents, "/overture/v1/consents/import", body, method="POST", query=query)

    def export_consents(self, **query: str) -> AsyncIterator[bytes]:
        """The ledger as a list, in pieces as they come; `query` as of `list_consents`, with `format`."""
        return self._stream("/overture/v1/consents/export", query)
