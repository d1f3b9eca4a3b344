"""How far an opt-out reaches: the whole workspace, the senders of one Messaging Service, or one sender.

What reaches less far than the workspace is kept by a key, `sender:<id>` or `service:<sid>`. The setting says how far a
STOP reaches that we read ourselves. A STOP that Twilio knows of reaches, at Twilio, the sender or its whole Messaging
Service, whatever we set.
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum


class OptOutScope(StrEnum):
    """Whom a STOP to one sender stops."""

    WORKSPACE = "workspace"
    SERVICE = "service"
    SENDER = "sender"


def sender_key(sender_id: str) -> str:
    """The key of one sender."""
    return f"sender:{sender_id}"


def service_key(service_sid: str) -> str:
    """The key of all senders of a Messaging Service."""
    return f"service:{service_sid}"


def keys_over(sender_id: str, service_sid: str | None) -> tuple[str, ...]:
    """Every key that reaches a sender."""
    own = (sender_key(sender_id),)
    return own if service_sid is None else (*own, service_key(service_sid))


def key_of(scope: OptOutScope, sender_id: str, service_sid: str | None) -> str | None:
    """The key of a STOP to a sender; None where it stops the workspace. A sender of no service stands for itself."""
    if scope is OptOutScope.WORKSPACE:
        return None
    if scope is OptOutScope.SERVICE and service_sid is not None:
        return service_key(service_sid)
    return sender_key(sender_id)


def key_at_provider(sender_id: str, service_sid: str | None) -> str:
    """The key of what Twilio itself refuses (21610): the Messaging Service where the sender has one."""
    return sender_key(sender_id) if service_sid is None else service_key(service_sid)


def since(
    opted_out_at: datetime | None,
    opted_out_of: Mapping[str, datetime],
    sender_id: str,
    service_sid: str | None,
) -> datetime | None:
    """Since when a contact may not be written to from a sender: the latest opt-out that reaches it."""
    if not opted_out_of:
        return opted_out_at
    reaching = [opted_out_of[key] for key in keys_over(sender_id, service_sid) if key in opted_out_of]
    return max([*reaching, *(() if opted_out_at is None else (opted_out_at,))], default=None)
