"""An account's wiring as its provider tells it, gathered for whoever plans or checks."""

from collections.abc import Callable

from overture.adapters.twilio.wiring import AccountLook, TwilioWiring
from overture.domain.wiring import Facts, OwnedNumber


async def gather(wiring: TwilioWiring, account: AccountLook, *, told: Callable[[int], None] = lambda _: None) -> Facts:
    """The facts that a plan is made of; `told` hears how many numbers have been read. Raises a Failure."""
    numbers: list[OwnedNumber] = []
    async for page in wiring.list_numbers():
        numbers += page
        told(len(numbers))
    return Facts(
        account_sid=account.sid,
        account_status=account.status,
        account_type=account.type,
        numbers=tuple(numbers),
        whatsapp=tuple(await wiring.list_whatsapp_senders()),
        services=tuple(await wiring.list_services()),
        converse=await wiring.list_conversing(),
    )
