"""The client's calls about accounts and senders. What is not named stays as it is; None takes it away."""

from typing import Any

from overture.client.calling import Caller, quoted
from overture.web.api.account_shapes import (
    ProviderAccountList,
    ProviderAccountView,
    RotatedSecrets,
    SenderList,
    SenderView,
)
from overture.web.api.pools import PoolList, PoolView
from overture.web.api.queues import QueueList, QueueView


class AccountCalls(Caller):
    """Calls about provider accounts, their senders with their pace and queues, and how secrets are sealed."""

    async def list_accounts(self) -> list[ProviderAccountView]:
        """The accounts of the settings and those of the API."""
        return (await self._get(ProviderAccountList, "/overture/v1/accounts")).accounts

    async def get_account(self, account_sid: str) -> ProviderAccountView:
        """One account; of its secrets only which are set."""
        return await self._get(ProviderAccountView, f"/overture/v1/accounts/{quoted(account_sid)}")

    async def save_account(self, account_sid: str, **fields: Any) -> ProviderAccountView:
        """Set an account up, or change it; `fields` are those of `NewAccount`."""
        body = {"sid": account_sid, **fields}
        return await self._get(ProviderAccountView, "/overture/v1/accounts", body, method="POST")

    async def change_account(self, account_sid: str, **fields: Any) -> ProviderAccountView:
        """Change an account that is there; `fields` are those of `ChangedAccount`."""
        path = f"/overture/v1/accounts/{quoted(account_sid)}"
        return await self._get(ProviderAccountView, path, fields, method="PATCH")

    async def remove_account(self, account_sid: str) -> None:
        """Take an account away that has no senders in use."""
        await self._call("DELETE", f"/overture/v1/accounts/{quoted(account_sid)}")

    async def list_senders(self) -> list[SenderView]:
        """The senders in use."""
        return (await self._get(SenderList, "/overture/v1/senders")).senders

    async def get_sender(self, sender_id: str) -> SenderView:
        """One sender in use."""
        return await self._get(SenderView, f"/overture/v1/senders/{quoted(sender_id)}")

    async def save_sender(self, *, account_sid: str, channel: str, address: str, **fields: Any) -> SenderView:
        """Activate a sender, or change the one that is there; `fields` are those of `ChangedSender`."""
        body = {"account_sid": account_sid, "channel": channel, "address": address, **fields}
        return await self._get(SenderView, "/overture/v1/senders", body, method="POST")

    async def change_sender(self, sender_id: str, **fields: Any) -> SenderView:
        """Change a sender in use; `fields` are those of `ChangedSender`."""
        return await self._get(SenderView, f"/overture/v1/senders/{quoted(sender_id)}", fields, method="PATCH")

    async def remove_sender(self, sender_id: str) -> None:
        """Retire a sender."""
        await self._call("DELETE", f"/overture/v1/senders/{quoted(sender_id)}")

    async def list_pools(self) -> list[PoolView]:
        """The pools that several senders share a pace in."""
        return (await self._get(PoolList, "/overture/v1/pools")).pools

    async def save_pool(self, name: str, **fields: Any) -> PoolView:
        """Make a pool, or change the one of that name; `fields` are those of `NewPool`."""
        return await self._get(PoolView, "/overture/v1/pools", {"name": name, **fields}, method="PUT")

    async def remove_pool(self, name: str) -> None:
        """Take a pool away."""
        await self._call("DELETE", f"/overture/v1/pools/{quoted(name)}")

    async def list_queues(self) -> list[QueueView]:
        """What waits at each sender."""
        return (await self._get(QueueList, "/overture/v1/queues")).queues

    async def rotate_secrets(self) -> RotatedSecrets:
        """Seal every stored secret anew with the first key; over the socket alone."""
        return await self._get(RotatedSecrets, "/overture/v1/secrets/rotate", method="POST")
