"""Routing: which conversation an inbound message belongs to."""

import re
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from overture.domain.agent import EndReason

RESUME_WITHIN: Final = timedelta(days=7)
THANKS_WITHIN: Final = timedelta(minutes=10)

_THANKS: Final = re.compile(
    r"(?:ok(?:ay)?|great|perfect|super|many|much(?:as|o)?|gracias|merci|beaucoup|danke?|thank(?:s| you| u)?|thx|ty|"
    r"grazie|mille|obrigad[ao]|dank je(?: wel)?|dank|cheers|good ?bye|bye|ciao|tschüss|bis (?:dann|bald)|alles klar|"
    r"all good|got it|will do|have a (?:nice|good|great|lovely) (?:day|evening|weekend|one)|"
    r"vielen|so|very|a lot|see you(?: then| soon)?|cu|schön|lot|a|you|\s|"
    r"[!.,👍🙏😊👌🙂❤️🎉👏💯😀😃😄😁🥰😍🤝✅🏻🏼🏽🏾🏿\ufe0f])+",
    re.IGNORECASE,
)


class Route(StrEnum):
    """Where a message goes that meets no live conversation."""

    RESUME = "resume"
    INBOUND_AGENT = "inbound_agent"
    SILENCE = "silence"
    NOTE = "note"
    NOWHERE = "nowhere"


def route(
    text: str,
    *,
    last_ended_at: datetime | None,
    last_reason: EndReason | None,
    opted_out: bool,
    has_inbound_agent: bool,
    now: datetime,
    is_reaction: bool = False,
) -> Route:
    """What becomes of a message on a pair without a live conversation.

    Who opted out gets no answer until START. Thanks after a conversation that was completed ends in silence; what
    else comes soon enough goes on with the same agent; then the sender's own agent takes it. A reaction asks nothing:
    it neither goes on with a conversation nor begins one.
    """
    if is_reaction:
        return Route.SILENCE
    if opted_out:
        return Route.NOTE if last_ended_at is not None else Route.NOWHERE
    if last_ended_at is not None:
        age = now - last_ended_at
        if last_reason is EndReason.COMPLETED and age < THANKS_WITHIN and is_thanks(text):
            return Route.SILENCE
        if age < RESUME_WITHIN and last_reason is not EndReason.OPT_OUT:
            return Route.RESUME
    return Route.INBOUND_AGENT if has_inbound_agent else Route.NOWHERE


def is_thanks(text: str) -> bool:
    """Whether a text only thanks or says goodbye."""
    return len(text) <= 60 and _THANKS.fullmatch(text.strip()) is not None
