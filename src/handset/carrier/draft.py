"""A message about to be sent: what the REST API, a TwiML answer and the carrier itself have in common."""

from dataclasses import dataclass
from datetime import datetime

from handset.faults.plan import Acting
from handset.state.nouns import Direction, Rich


@dataclass(frozen=True, kw_only=True)
class Draft:
    """A message about to be sent. `from_address` is None where a Messaging Service will choose.

    `faults` are those that hit the message itself, not the answer to the request.
    """

    account_sid: str
    to_address: str
    from_address: str | None
    body: str
    direction: Direction = "outbound-api"
    media_urls: tuple[str, ...] = ()
    service_sid: str | None = None
    content_sid: str | None = None
    content_variables: dict[str, str] | None = None
    status_callback: str | None = None
    send_at: datetime | None = None
    validity_seconds: int = 36_000
    rich: Rich | None = None
    auto: bool = False
    faults: tuple[Acting, ...] = ()
