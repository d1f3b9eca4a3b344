"""The faults that a message carries from its birth: a fate, a lag in lists, or mischief with its own webhooks."""

from collections.abc import Iterable
from datetime import timedelta

import msgspec

from handset.faults.plan import Acting, Plan
from handset.state.nouns import Fate, Message


def marked(message: Message, faults: Iterable[Acting], plan: Plan) -> Message:
    """The new message with what these faults do to it; each is put on record."""
    for acting in faults:
        match acting.rule.kind:
            case "failed":
                fate = Fate(status=acting.rule.ends, code=acting.rule.code or 30008)
                message = msgspec.structs.replace(message, fate=fate)
            case "list_lag":
                listed_at = message.created_at + timedelta(seconds=acting.rule.length)
                message = msgspec.structs.replace(message, listed_at=listed_at)
            case _:  # came with this message's request, for its webhooks: it acts, and is recorded, when they go out
                plan.bind(acting.standing, message_sid=message.sid)
                continue
        plan.record(acting, message_sid=message.sid)
    return message
