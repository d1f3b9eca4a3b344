"""The client's calls for prices and what was spent."""

from overture.client.calling import Caller, read
from overture.web.api.prices import Prices, SavedPrices
from overture.web.api.spend import SpendList


class CostCalls(Caller):
    """Brings prices, and asks what was spent."""

    async def import_prices(self, csv: bytes) -> SavedPrices:
        """Let a file's prices be the table."""
        raw, _ = await self._call("PUT", "/overture/v1/prices", csv=csv)
        return read(raw, SavedPrices)

    async def list_prices(self, *, number: str | None = None, limit: int = 100, offset: int = 0) -> Prices:
        """A page of the table, or the rows that count for a number."""
        query = {"limit": str(limit), "offset": str(offset), **({} if number is None else {"number": number})}
        return await self._get(Prices, "/overture/v1/prices", query=query)

    async def export_prices(self) -> str:
        """The table as a file."""
        raw, _ = await self._call("GET", "/overture/v1/prices/export")
        return raw.decode()

    async def clear_prices(self) -> None:
        """Take the table away."""
        await self._call("DELETE", "/overture/v1/prices")

    async def list_spend(self, **query: str) -> SpendList:
        """What was spent, by `from`, `to` and `by`."""
        return await self._get(SpendList, "/overture/v1/spend", query=query)
