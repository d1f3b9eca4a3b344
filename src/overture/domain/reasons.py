"""Why a message was not sent, or not yet: every reason that a message, a try or an event of ours may carry.

Our own reasons are a closed table; the provider's codes are explained by `provider_errors`. A reason is kept as its
code. Where the provider said more than the table knows, its words are kept behind the code.
"""

import re
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain import provider_errors
from overture.domain.delivery import DeliveryState


class Meaning(StrEnum):
    """What a reason says of its message."""

    STAYS = "stays"  # it is never sent
    TRY_FAILED = "try_failed"  # one try did not get through, or nobody knows whether it did
    WAITS = "waits"  # it will be sent, but not yet


class Reason(StrEnum):
    """Our own reasons."""

    RECIPIENT_OPTED_OUT = "recipient_opted_out"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    WINDOW_CLOSED = "window_closed"
    TEMPLATE_NOT_APPROVED = "template_not_approved"
    TEMPLATE_UNKNOWN = "template_unknown"
    SENDER_REMOVED = "sender_removed"
    CONTACT_WROTE = "contact_wrote"
    SAID_IN_ANSWER = "said_in_answer"
    NEEDS_REVIEW = "needs_review"
    CANNOT_BE_CLAIMED = "cannot_be_claimed"
    DROPPED_BY_OPERATOR = "dropped_by_operator"
    NOT_DELIVERED = "not_delivered"
    TWILIO_UNREACHABLE = "twilio_unreachable"
    TWILIO_NO_ANSWER = "twilio_no_answer"
    TWILIO_UNREADABLE = "twilio_unreadable"
    TWILIO_ACCOUNT_UNKNOWN = "twilio_account_unknown"
    TWILIO_BASE_URL = "twilio_base_url"
    PROVIDER_BROKE = "provider_broke"
    CLAIM_RAN_OUT = "claim_ran_out"
    WORKER_HELD_UP = "worker_held_up"
    WITHDRAWN = "withdrawn"
    RESTORED = "restored"
    OVERTAKEN = "overtaken"
    SENDER_STOPPED = "sender_stopped"
    SENDER_SHUT_START = "sender_shut_start"
    SENDER_SHUT_BREAKER = "sender_shut_breaker"
    SENDER_SHUT_RESTORE = "sender_shut_restore"
    TRIES_AGAIN = "tries_again"
    NOT_YET_DUE = "not_yet_due"
    QUIET_HOURS = "quiet_hours"
    EXPIRES_IN_QUIET_HOURS = "expires_in_quiet_hours"
    PORTFOLIO_LIMIT = "portfolio_limit"
    EXPIRES_AT_PORTFOLIO_LIMIT = "expires_at_portfolio_limit"
    OUTCOME_UNKNOWN = "outcome_unknown"


class Explanation(Struct, frozen=True, kw_only=True):
    """A reason for its readers: `sentence` for people, `hint` what the operator can do, None where nothing."""

    code: str
    sentence: str
    hint: str | None = None


class Fact(Explanation, frozen=True, kw_only=True):
    """One of our own reasons."""

    meaning: Meaning


def _table(*rows: tuple[Reason, Meaning, str, str | None]) -> dict[Reason, Fact]:
    facts = {
        reason: Fact(code=reason.value, meaning=meaning, sentence=sentence, hint=hint)
        for reason, meaning, sentence, hint in rows
    }
    if len(facts) != len(rows) or set(facts) != set(Reason):
        raise ValueError("each reason stands in the table once")
    return facts


_STAYS, _FAILED, _WAITS = Meaning.STAYS, Meaning.TRY_FAILED, Meaning.WAITS
_LOOKED_UP: Final = "Nothing to do: the provider's list is read before anything is sent again."

TABLE: Final = _table(
    (
        Reason.RECIPIENT_OPTED_OUT,
        _STAYS,
        "The recipient opted out before the message left.",
        "Only the recipient can lift this, by writing START.",
    ),
    (
        Reason.CANCELLED,
        _STAYS,
        "The conversation ended or was taken over before the message left.",
        "Start a new conversation, or write in the one that goes on.",
    ),
    (
        Reason.EXPIRED,
        _STAYS,
        "The message waited longer than it is worth.",
        "Start the conversation again; where it happens often, look at what the queue waits for.",
    ),
    (
        Reason.WINDOW_CLOSED,
        _STAYS,
        "The customer service window closed before the message left.",
        "Send an approved template, or wait until the contact writes.",
    ),
    (
        Reason.TEMPLATE_NOT_APPROVED,
        _STAYS,
        "WhatsApp took back its approval of the template while the message waited.",
        "See `overture templates show` for why, and use another template.",
    ),
    (
        Reason.TEMPLATE_UNKNOWN,
        _STAYS,
        "The template was deleted at the provider while the message waited.",
        "Use another template: `overture templates list` shows what there is.",
    ),
    (
        Reason.SENDER_REMOVED,
        _STAYS,
        "The sender is no longer active.",
        "Put the sender back into the settings (OVERTURE_SENDERS), or write from another.",
    ),
    (
        Reason.CONTACT_WROTE,
        _STAYS,
        "The contact wrote before the follow-up left.",
        "Nothing to do: the agent answers what they wrote.",
    ),
    (
        Reason.SAID_IN_ANSWER,
        _STAYS,
        "The contact wrote before the follow-up, or the rest of it, left.",
        "Nothing to do: the agent says it with its answer, in a message of its own.",
    ),
    (
        Reason.NEEDS_REVIEW,
        _WAITS,
        "Nothing could tell whether the provider took the message; a person decides.",
        "Look for it in the provider's log, then resend or drop it (`overture deliveries`).",
    ),
    (
        Reason.CANNOT_BE_CLAIMED,
        _WAITS,
        "The message could not even be made ready to be sent, again and again; a person decides.",
        "The log has the traceback. Resend it once the cause is mended, or drop it (`overture deliveries`).",
    ),
    (Reason.DROPPED_BY_OPERATOR, _STAYS, "A person dropped the message in review; it is not sent again.", None),
    (
        Reason.NOT_DELIVERED,
        _STAYS,
        "The provider did not deliver the message and does not say why.",
        "Look the message up in the provider's log, by its provider_sid.",
    ),
    (
        Reason.TWILIO_UNREACHABLE,
        _FAILED,
        "No connection to the provider came about.",
        "It is tried again. Where it lasts, check the network and OVERTURE_TWILIO_BASE_URL.",
    ),
    (Reason.TWILIO_NO_ANSWER, _FAILED, "The provider did not answer.", _LOOKED_UP),
    (Reason.TWILIO_UNREADABLE, _FAILED, "The provider's answer could not be read.", _LOOKED_UP),
    (
        Reason.TWILIO_ACCOUNT_UNKNOWN,
        _FAILED,
        "The sender's provider account is not set up.",
        "Give the account's SID and auth token in the settings; `overture doctor` names what is missing.",
    ),
    (
        Reason.TWILIO_BASE_URL,
        _FAILED,
        "The provider's API address is no URL.",
        "Correct OVERTURE_TWILIO_BASE_URL.",
    ),
    (
        Reason.PROVIDER_BROKE,
        _FAILED,
        "The provider's client broke; the message may have gone out.",
        "The log has the traceback; please report it. The provider's list is read before anything is sent again.",
    ),
    (
        Reason.WORKER_HELD_UP,
        _FAILED,
        "The worker was held up for too long (stopped, or out of memory), and did not hand the message over.",
        "Nothing to do: it goes again. Where it happens often, look at the machine's load and memory.",
    ),
    (
        Reason.WITHDRAWN,
        _FAILED,
        "Before its instant came the contact opted out, or the conversation ended or was taken over.",
        "Nothing to do: it was not handed over, and is given up with the reason.",
    ),
    (Reason.CLAIM_RAN_OUT, _FAILED, "The process that sent it died, or lost its claim.", _LOOKED_UP),
    (
        Reason.RESTORED,
        _FAILED,
        "The database was restored from a backup; the message may have been sent after that was made.",
        _LOOKED_UP,
    ),
    (
        Reason.OVERTAKEN,
        _STAYS,
        "The database was restored, and after its backup the conversation had gone on without this message.",
        "Read what was said meanwhile, which stands in the conversation, and write anew where it is still wanted.",
    ),
    (
        Reason.SENDER_STOPPED,
        _WAITS,
        "The sender rests: the provider refused it until something is put right.",
        "Put right what it names; the sender is tried again by itself every ten minutes.",
    ),
    (
        Reason.SENDER_SHUT_START,
        _WAITS,
        "The server has just started and first reads what came while it was down.",
        None,
    ),
    (
        Reason.SENDER_SHUT_BREAKER,
        _WAITS,
        "The provider failed again and again; sending begins anew when it answers.",
        "Look at the provider's status page and at the log.",
    ),
    (
        Reason.SENDER_SHUT_RESTORE,
        _WAITS,
        "The database was restored and nothing leaves before it is compared with the provider's list.",
        None,
    ),
    (Reason.TRIES_AGAIN, _WAITS, "The last try did not get through; the next one has its time.", None),
    (Reason.NOT_YET_DUE, _WAITS, "The message has its time, and that has not come.", None),
    (
        Reason.QUIET_HOURS,
        _WAITS,
        "It is quiet hours where the recipient may be; the message leaves when they end.",
        "Nothing to do. Where the recipient's time zone is known, the call may give it as recipient_timezone.",
    ),
    (
        Reason.EXPIRES_IN_QUIET_HOURS,
        _STAYS,
        "The message would have expired before the recipient's quiet hours end.",
        "Start the conversation again, in allowed hours or with a longer expires_in_seconds.",
    ),
    (
        Reason.PORTFOLIO_LIMIT,
        _WAITS,
        "The WhatsApp portfolio has written to as many people within 24 hours as it may; the message leaves later.",
        "Nothing to do: `overture pools list` shows when there is room. Raise the limit where Meta has raised it.",
    ),
    (
        Reason.EXPIRES_AT_PORTFOLIO_LIMIT,
        _STAYS,
        "The message would have expired before the WhatsApp portfolio may write to one more person.",
        "Start the conversation again when there is room (`overture pools list`), or with a longer expires_in_seconds.",
    ),
    (
        Reason.OUTCOME_UNKNOWN,
        _WAITS,
        "A try may or may not have got through; what became of it is being found out.",
        _LOOKED_UP,
    ),
)
"""What each of our reasons means, and what the operator can do."""

UNCLASSIFIED: Final = "other"
"""The code of a reason that is only words, as older versions kept them."""

_KEPT: Final = re.compile(r"([a-z][a-z0-9_]*)(?:: (.*))?", re.DOTALL)
_HTTP: Final = re.compile(r"twilio_http_(\d{3})")


def kept(code: str, sentence: str) -> str:
    """A reason as it is kept: its code, with the sentence behind it where that says more than the table."""
    known = explain(code)
    return code if known.sentence == sentence else f"{code}: {sentence}"


def explain(reason: str) -> Explanation:
    """What a kept reason means. A code that nobody told us of, or mere words, explain themselves."""
    found = _KEPT.fullmatch(reason)
    if found is None:
        return Explanation(code=UNCLASSIFIED, sentence=reason)
    code, words = found[1], found[2]
    known = _known(code)
    if words is None:
        return known
    return Explanation(code=code, sentence=words, hint=known.hint)


def is_known(code: str) -> bool:
    """Whether a code has a sentence of its own."""
    return code in TABLE or provider_errors.code_in(code) is not None or _HTTP.fullmatch(code) is not None


def _known(code: str) -> Explanation:
    if code in TABLE:
        return TABLE[Reason(code)]
    if (number := provider_errors.code_in(code)) is not None:
        fact = provider_errors.describe(number)
        return Explanation(code=code, sentence=fact.sentence, hint=fact.operator)
    if (answered := _HTTP.fullmatch(code)) is not None:
        return _http(code, int(answered[1]))
    return Explanation(code=code, sentence=f"It was told no more than {code!r}.")


def _http(code: str, status: int) -> Explanation:
    if status >= 500 or status == 408 or status < 300:
        may_be = f"The provider answered {status}: it may have taken the message or not."
        return Explanation(code=code, sentence=may_be, hint=_LOOKED_UP)
    if status in (401, 403, 404) or status < 400:
        hint = "Check the account's SID and credentials and the API's base URL."
        return Explanation(code=code, sentence=f"The provider answered {status}.", hint=hint)
    return Explanation(
        code=code,
        sentence=f"The provider refused the message with {status}.",
        hint="Look for the request in the provider's log: it gave no code of its own.",
    )


class Waiting(Struct, frozen=True, kw_only=True):
    """What may keep a message of the outbox from leaving. `recorded` is what the claim noted, `stopped_because` and
    `shut_because` are its sender's, None where the sender is neither.
    """

    state: DeliveryState
    due_at: datetime
    tries: int
    recorded: str | None = None
    stopped_because: str | None = None
    shut_because: str | None = None


def why_waiting(waiting: Waiting, now: datetime) -> Explanation | None:
    """Why a message has not left yet, None where it is its turn. What holds its sender goes before its own reasons."""
    match waiting.state:
        case DeliveryState.UNCERTAIN:
            return TABLE[Reason.OUTCOME_UNKNOWN]
        case DeliveryState.NEEDS_REVIEW:
            return TABLE[Reason.NEEDS_REVIEW]
        case DeliveryState.QUEUED:
            return _why_queued(waiting, now)
        case _:
            return None


def _why_queued(waiting: Waiting, now: datetime) -> Explanation | None:
    if waiting.stopped_because is not None:
        stopped = TABLE[Reason.SENDER_STOPPED]
        sentence = f"{stopped.sentence} {waiting.stopped_because}".rstrip()
        return Explanation(code=stopped.code, sentence=sentence, hint=stopped.hint)
    if waiting.shut_because is not None:
        return explain(f"sender_shut_{waiting.shut_because}")
    if waiting.due_at <= now:
        return None
    if waiting.recorded is not None:
        return explain(waiting.recorded)
    return TABLE[Reason.TRIES_AGAIN if waiting.tries else Reason.NOT_YET_DUE]
