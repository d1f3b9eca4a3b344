"""Events: what happened, for whoever follows along. Each is written in the commit of the fact it tells."""

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from overture.domain.agent import Json


class EventKind(StrEnum):
    """What can happen."""

    CONVERSATION_STARTED = "conversation.started"
    CONVERSATION_ENDED = "conversation.ended"
    CONVERSATION_HANDED_OVER = "conversation.handed_over"
    CONVERSATION_TAKEN_OVER = "conversation.taken_over"
    CONVERSATION_UNATTENDED = "conversation.unattended"
    CONVERSATION_HANDED_BACK = "conversation.handed_back"
    CONVERSATION_PAUSED = "conversation.paused"
    MESSAGE_QUEUED = "message.queued"
    MESSAGE_ACCEPTED = "message.accepted"
    MESSAGE_STATUS = "message.status"
    MESSAGE_REFUSED = "message.refused"
    MESSAGE_FAILED = "message.failed"
    MESSAGE_NEEDS_REVIEW = "message.needs_review"
    FOLLOW_UP_SCHEDULED = "follow_up.scheduled"
    FOLLOW_UP_DEFERRED = "follow_up.deferred"
    FOLLOW_UP_DROPPED = "follow_up.dropped"
    REPLY_WAITS = "reply.waits_for_contact"
    MESSAGE_RECEIVED = "message.received"
    MESSAGE_FOREIGN = "message.foreign"
    CONTACT_OPTED_OUT = "contact.opted_out"
    CONTACT_OPTED_IN = "contact.opted_in"
    CONSENT_MISSING = "consent.missing"
    CONTACT_MERGED = "contact.merged"
    CONTACT_PARTED = "contact.parted"
    SENDER_STOPPED = "sender.stopped"
    PROVIDER_UNREACHABLE = "provider.unreachable"
    PROVIDER_REACHABLE = "provider.reachable"
    SWEEP_FAILED = "sweep.failed"
    DATABASE_RESTORED = "database.restored"
    INSTANCE_SHUT = "instance.shut"
    INSTANCE_ADOPTED = "instance.adopted"
    CAP_NEARLY_REACHED = "cap.nearly_reached"
    CAP_REACHED = "cap.reached"
    NOTICE_FAILED = "notice.failed"
    INBOUND_UNROUTED = "inbound.unrouted"
    INBOUND_PARKED = "inbound.parked"


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened."""

    id: str
    shard: int
    workspace_id: str
    conversation_id: str | None
    kind: EventKind
    data: dict[str, Json]
    at: datetime
