"""Stored checks of model endpoints: of each address and model the last one."""

from typing import Final

import msgspec

from overture.domain.model_check import Checked, Found
from overture.store.engine import Reading, Writing, instant, stored
from overture.store.statement import Command, Query

_PUT: Final = Command(
    """
    INSERT INTO model_check (base_url, model, found, checked_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (base_url, model) DO UPDATE SET found = excluded.found, checked_at = excluded.checked_at
    """
)
_LIST: Final = Query("SELECT base_url, model, found, checked_at FROM model_check ORDER BY base_url, model")
_read: Final = msgspec.json.Decoder(Found).decode


async def put(tx: Writing, checked: Checked) -> None:
    """Keep a check in place of the one before."""
    found = msgspec.json.encode(checked.found).decode()
    await tx.run(_PUT, checked.base_url, checked.model, found, stored(checked.checked_at))


async def list_all(tx: Reading) -> list[Checked]:
    """The checks of all endpoints there ever were: a handful."""
    rows = await tx.all(_LIST)
    return [Checked(base_url=row[0], model=row[1], found=_read(row[2]), checked_at=instant(row[3])) for row in rows]
