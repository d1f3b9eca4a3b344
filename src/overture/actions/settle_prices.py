"""Settle prices: keep what the provider charged for messages of ours, as its records say."""

from collections.abc import Sequence

from overture.domain.ports import ProviderMessage
from overture.store import charges
from overture.store.charges import Charge
from overture.store.engine import Writing


async def settle_prices(tx: Writing, account_sid: str, found: Sequence[ProviderMessage]) -> int:
    """Keep the prices of those that are ours and have one; of how many that was news. The caller commits."""
    charged = [
        Charge(account_sid=account_sid, sid=one.sid, price=one.price, segments=one.segments)
        for one in found
        if not one.inbound and one.price is not None
    ]
    return await charges.settle(tx, charged) if charged else 0
