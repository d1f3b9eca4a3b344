"""Open the stored accounts' secrets, for those who send, verify and fetch with them."""

from msgspec import Struct

from overture.domain.account import Credentials
from overture.domain.errors import Misconfigured
from overture.domain.ports import Vault
from overture.store import credentials
from overture.store.credentials import StoredAccount
from overture.store.engine import Reading


class LoadedAccounts(Struct, frozen=True, kw_only=True):
    """Accounts that could be opened, and why others could not, by SID."""

    opened: tuple[Credentials, ...]
    failed: dict[str, Misconfigured]


async def load_accounts(tx: Reading, vault: Vault) -> LoadedAccounts:
    """Every account of the API, in every workspace. One that cannot be opened keeps none of the others back."""
    opened: list[Credentials] = []
    failed: dict[str, Misconfigured] = {}
    for stored in await credentials.list_everywhere(tx):
        try:
            opened.append(open_account(stored, vault))
        except Misconfigured as wrong:
            failed[stored.sid] = wrong
    return LoadedAccounts(opened=tuple(opened), failed=failed)


def open_account(stored: StoredAccount, vault: Vault) -> Credentials:
    """One account with its secrets. Raises Misconfigured."""

    def secret(field: str) -> str:
        sealed = getattr(stored, field)
        return "" if sealed is None else vault.unseal(sealed, stored.place_of(field))

    tokens = (secret("auth_token"), secret("second_auth_token"))
    return Credentials(
        sid=stored.sid,
        auth_tokens=tuple(token for token in tokens if token),
        api_key_sid=secret("api_key_sid"),
        api_key_secret=secret("api_key_secret"),
        urls=stored.urls,
    )
