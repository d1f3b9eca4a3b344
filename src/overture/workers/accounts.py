"""The accounts' road: what was changed over the API is used by this process at once, by the others within seconds."""

import asyncio
from typing import Final

from overture import log
from overture.actions.load_accounts import load_accounts
from overture.domain.ports import AccountsInForce, Vault
from overture.store.engine import Store

ROAD: Final = "accounts"
LONGEST_WAIT_SECONDS: Final = 2.0  # a hint that got lost costs as much; the table has a handful of rows

_log: Final = log.get(__name__)


class AccountsRoad:
    """Puts the stored accounts in force, again and again."""

    def __init__(self, *, store: Store, vault: Vault, accounts: AccountsInForce) -> None:
        self._store: Final = store
        self._vault: Final = vault
        self._accounts: Final = accounts
        self._one_by_one: Final = asyncio.Lock()  # or what was read before would replace what was read after
        self._told: dict[str, str] = {}

    async def look(self) -> float | None:
        """Put in force what is stored now."""
        await self.refresh()
        return None

    async def refresh(self) -> None:
        """As `look`; once it has returned, the accounts are used as they were stored when it was called."""
        async with self._one_by_one:
            loaded = await self._store.read(lambda tx: load_accounts(tx, self._vault))
            self._accounts.replace(loaded.opened)
        for sid, wrong in loaded.failed.items():
            if self._told.get(sid) != wrong.code:
                _log.error(
                    "account_unreadable", account_sid=sid, code=wrong.code, why=wrong.description, hint=wrong.hint
                )
        self._told = {sid: wrong.code for sid, wrong in loaded.failed.items()}
