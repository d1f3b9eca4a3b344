"""Messages from before: what a list holds that was never sent through this Handset."""

from handset.carrier import segments
from handset.config import Number, Past
from handset.state.nouns import Change, Message, Status


def message_of(past: Past, *, sid: str, ours: Number, account_sid: str, handset: str | None) -> Message:
    """The message as it ended; nobody is told of it, and nothing more becomes of it."""
    outbound = ours.address == past.from_
    status: Status = past.status or ("delivered" if outbound else "received")
    return Message(
        sid=sid,
        account_sid=account_sid,
        from_address=past.from_,
        to_address=past.to,
        body=past.body,
        direction="outbound-api" if outbound else "inbound",
        status=status,
        created_at=past.at,
        updated_at=past.at,
        sent_at=past.at,
        history=(Change(status=status, at=past.at),),
        segments=segments.of(past.body, past.to),
        error_code=past.error_code,
        handset=handset,
        past=True,
    )
