"""Stored wirings: what each place at the provider was set to before it was connected, and what it became."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

import msgspec

from overture.domain.remembered_wiring import Remembered
from overture.domain.wiring import Place, Setting
from overture.store.engine import Reading, Writing, stored
from overture.store.statement import Command, Query, Row

_PUT: Final = Command(
    """
    INSERT INTO wiring (workspace_id, account_sid, sid, place, addresses, before, became, connected_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (workspace_id, sid) DO UPDATE SET account_sid = excluded.account_sid, place = excluded.place,
        addresses = excluded.addresses, before = excluded.before, became = excluded.became,
        connected_at = excluded.connected_at
    """
)
_LIST: Final = Query(
    """
    SELECT account_sid, sid, place, addresses, before, became FROM wiring
    WHERE workspace_id = $1 AND sid > $2 ORDER BY sid LIMIT $3
    """
)
_FORGET: Final = Command("DELETE FROM wiring WHERE workspace_id = $1 AND sid = $2 RETURNING sid")
_ADDRESSES: Final = msgspec.json.Decoder(tuple[str, ...])
_SETTING: Final = msgspec.json.Decoder(Setting)


async def put(tx: Writing, workspace_id: str, wiring: Remembered, now: datetime) -> None:
    """Keep what a place was and became, in place of what was kept of it."""
    await tx.run(
        _PUT,
        workspace_id,
        wiring.account_sid,
        wiring.sid,
        wiring.place.value,
        msgspec.json.encode(wiring.addresses).decode(),
        msgspec.json.encode(wiring.before).decode(),
        msgspec.json.encode(wiring.became).decode(),
        stored(now),
    )


async def list_after(tx: Reading, workspace_id: str, *, after: str, limit: int) -> Sequence[Remembered]:
    """A page of what is kept, by the SID of the place."""
    return [_wiring(row) for row in await tx.all(_LIST, workspace_id, after, limit)]


async def forget(tx: Writing, workspace_id: str, sid: str) -> bool:
    """Forget a place; whether it was kept."""
    return bool(await tx.run(_FORGET, workspace_id, sid))


def _wiring(row: Row) -> Remembered:
    return Remembered(
        account_sid=row[0],
        sid=row[1],
        place=Place(row[2]),
        addresses=_ADDRESSES.decode(row[3]),
        before=_SETTING.decode(row[4]),
        became=_SETTING.decode(row[5]),
    )
