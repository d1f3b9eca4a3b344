"""The files of a typed message: kept, and told of as Twilio does, by an address that asks for credentials."""

from collections.abc import Sequence
from datetime import datetime

from handset.carrier.typed import Attachment
from handset.state.nouns import Medium
from handset.state.store import Store


def attach(
    store: Store, files: Sequence[Attachment], *, message_sid: str, account_sid: str, base_url: str, now: datetime
) -> dict[str, str]:
    """Keep them; the webhook's parameters that tell of them."""
    told: dict[str, str] = {}
    for index, file in enumerate(files):
        medium = Medium(
            sid=store.new_sid("ME"),
            account_sid=account_sid,
            message_sid=message_sid,
            content_type=file.content_type,
            created_at=now,
            content=file.content,
        )
        store.put_medium(medium)
        own = f"{base_url}/2010-04-01/Accounts/{account_sid}/Messages/{message_sid}/Media/{medium.sid}"
        told |= {f"MediaContentType{index}": file.content_type, f"MediaUrl{index}": own}
    return told
