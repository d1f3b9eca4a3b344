"""Seal stored secrets anew with the key that seals now, a row in each commit, while everything runs.

Whoever stores a sealed secret in another table adds it here.
"""

from datetime import datetime

import msgspec

from overture.domain.ports import Vault
from overture.store import credentials
from overture.store.credentials import StoredAccount
from overture.store.engine import Reading, Writing


async def list_sealed(tx: Reading) -> list[tuple[str, str]]:
    """Every row that holds secrets, as workspace and account."""
    return [(one.workspace_id, one.sid) for one in await credentials.list_everywhere(tx)]


async def reseal_account(tx: Writing, workspace_id: str, sid: str, vault: Vault, now: datetime) -> tuple[int, int]:
    """Seal an account's secrets anew, where another key sealed them; how many, of how many. The caller commits.

    Raises Misconfigured where one cannot be opened; then all of them stay as they are.
    """
    known = await credentials.lock(tx, workspace_id, sid)
    if known is None:
        return 0, 0
    resealed = _resealed(known, vault)
    if resealed:
        await credentials.save(tx, msgspec.structs.replace(known, **resealed, changed_at=now))
    return len(resealed), sum(getattr(known, field) is not None for field in credentials.SECRETS)


def _resealed(known: StoredAccount, vault: Vault) -> dict[str, str]:
    resealed = {}
    for field in credentials.SECRETS:
        sealed = getattr(known, field)
        if sealed is not None and not vault.is_current(sealed):
            place = known.place_of(field)
            resealed[field] = vault.seal(vault.unseal(sealed, place), place)
    return resealed
