"""What Twilio's error codes mean for a message, its contact and its sender: a table of facts.

The same codes come as HTTP errors when a message is handed over and as `ErrorCode` in callbacks later. Source:
Twilio's error dictionary, and what its users report of it. An unknown code is permanent: to repeat what nobody
understands sends twice or pesters.
"""

from enum import StrEnum
from typing import Final

from msgspec import Struct


class ErrorClass(StrEnum):
    """Whether trying again can help."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    MISCONFIGURED = "misconfigured"
    UNKNOWN = "unknown"  # the message may have been taken: it is looked for, never repeated blindly


class Effect(StrEnum):
    """What else an error tells us, besides that this message did not arrive."""

    OPTED_OUT = "opted_out"
    WINDOW_CLOSED = "window_closed"
    UNREACHABLE = "unreachable"  # this address will get nothing on this channel
    BLOCKED = "blocked"  # the contact or the carrier wants nothing from this sender


class Stops(StrEnum):
    """What must rest until the operator has acted on a misconfiguration."""

    ACCOUNT = "account"
    SENDER = "sender"
    NOTHING = "nothing"  # one country, recipient or template is concerned: everything else still goes


class ErrorFact(Struct, frozen=True, kw_only=True):
    """What one code means.

    `sentence` is for the caller, `operator` for who runs the server. `stops` is what rests for a misconfiguration.
    `wait_seconds` is how long a transient error lasts at least; `tries` how often a message may be sent again for it
    (the provider's word "failed" is sometimes wrong, so few).
    """

    code: int
    verdict: ErrorClass
    sentence: str
    operator: str | None = None
    effect: Effect | None = None
    stops: Stops = Stops.NOTHING
    wait_seconds: int = 0
    tries: int = 0


_P, _T, _C = ErrorClass.PERMANENT, ErrorClass.TRANSIENT, ErrorClass.MISCONFIGURED
_MINUTE, _HOUR = 60, 3600


def _table(*facts: ErrorFact) -> dict[int, ErrorFact]:
    by_code = {fact.code: fact for fact in facts}
    if len(by_code) != len(facts):
        raise ValueError("a code stands twice in the table of errors")
    return by_code


def _never(code: int, sentence: str, operator: str | None = None, effect: Effect | None = None) -> ErrorFact:
    return ErrorFact(code=code, verdict=_P, sentence=sentence, operator=operator, effect=effect)


def _later(code: int, sentence: str, wait_seconds: int, operator: str | None = None, tries: int = 3) -> ErrorFact:
    return ErrorFact(
        code=code, verdict=_T, sentence=sentence, operator=operator, wait_seconds=wait_seconds, tries=tries
    )


def _unknown(code: int, sentence: str) -> ErrorFact:
    return ErrorFact(code=code, verdict=ErrorClass.UNKNOWN, sentence=sentence)


def _stop(code: int, sentence: str, operator: str, stops: Stops = Stops.SENDER) -> ErrorFact:
    return ErrorFact(code=code, verdict=_C, sentence=sentence, operator=operator, stops=stops)


def _stop_account(code: int, sentence: str, operator: str) -> ErrorFact:
    return _stop(code, sentence, operator, Stops.ACCOUNT)


def _act(code: int, sentence: str, operator: str) -> ErrorFact:
    return _stop(code, sentence, operator, Stops.NOTHING)


_WEBHOOK: Final = "The provider could not deliver a webhook to this server."
_ANSWER: Final = "The provider could not read this server's answer to a webhook."
_FAILED_INSIDE: Final = "The provider failed; it may have taken the message or not."
_CREDENTIALS: Final = "The provider refused our credentials."
_BAD_RECIPIENT: Final = "The recipient's number is not valid."
_BAD_SENDER: Final = "The sender cannot be used for messages."
_BAD_REQUEST: Final = "The provider refused the message's content."
_BAD_SCHEDULE: Final = "The provider refused the message's schedule."
_NO_SENDER: Final = "The Messaging Service has no usable sender."
_WRONG_SERVICE: Final = "The Messaging Service is not valid for this sender."
_WHATSAPP_SETUP: Final = "The WhatsApp sender is not set up correctly."
_WHATSAPP_REFUSED: Final = "WhatsApp refused the message's content."
_WHATSAPP_DOWN: Final = "WhatsApp could not deliver the message for now."

ERRORS: Final = _table(
    # the account
    _never(20001, "The provider did not understand the request.", "This is a fault of the server; please report it."),
    _stop_account(20003, _CREDENTIALS, "Check the auth token or API key: was it rotated, or is the account suspended?"),
    _stop_account(20005, "The provider account is not active.", "Reactivate the account in Twilio's console."),
    _stop_account(20006, _CREDENTIALS, "The credentials may not do this; check the API key's kind and the account."),
    _stop_account(20008, "The provider account has test credentials only.", "Set the live credentials."),
    _stop_account(20403, _CREDENTIALS, "The account may not use this; look at its permissions in Twilio's console."),
    _stop_account(20404, "The provider does not know this account.", "Check the account SID and the API's base URL."),
    _later(20429, "The provider takes no more requests for the moment.", 1, "Too many requests at once.", tries=10),
    _unknown(20500, _FAILED_INSIDE),
    _unknown(20503, _FAILED_INSIDE),
    # our webhooks, as the provider's error log tells of them
    _act(11200, _WEBHOOK, "After an answer of 403 compare the webhook's address with OVERTURE_PUBLIC_URL."),
    _act(11205, _WEBHOOK, "No connection came about: check that the public address can be reached."),
    _act(11206, _WEBHOOK, "What answered was not HTTP as it should be: look at the proxy."),
    _act(11210, _WEBHOOK, "The public address has no DNS entry that Twilio can find."),
    _act(11215, _WEBHOOK, "There were too many redirects: give the webhook's final address."),
    _act(12100, _ANSWER, "Something else than Overture answers at the webhook's address: look at the proxy."),
    _act(12200, _ANSWER, "Something else than Overture answers at the webhook's address: look at the proxy."),
    _act(12300, _ANSWER, "Something else than Overture answers at the webhook's address: look at the proxy."),
    # the recipient
    _never(21211, _BAD_RECIPIENT, effect=Effect.UNREACHABLE),
    _never(21265, "The recipient is a short code.", effect=Effect.UNREACHABLE),
    _never(21266, "Sender and recipient are the same number."),
    _never(21267, "A trial account cannot send from a name.", "Upgrade the account, or send from a number."),
    _never(21268, "The recipient is a premium number.", effect=Effect.UNREACHABLE),
    _never(21635, "The recipient is a landline.", effect=Effect.UNREACHABLE),
    _never(21612, "The provider has no route from this sender to this recipient.", effect=Effect.UNREACHABLE),
    _never(21614, "The recipient's number cannot get SMS.", effect=Effect.UNREACHABLE),
    _never(21610, "The recipient has opted out of this sender.", effect=Effect.OPTED_OUT),
    _act(21408, "Sending to this country is switched off.", "Allow the country under Messaging > Geo permissions."),
    _act(21608, "A trial account writes to verified numbers only.", "Verify the number, or upgrade the account."),
    # the sender
    _stop(21212, _BAD_SENDER, "The sender is not a valid number: correct it."),
    _stop(21603, "The message has no sender.", "Give the sender a number or a Messaging Service."),
    _stop(21606, _BAD_SENDER, "The number is not this account's, or has no SMS: look it up in Twilio's console."),
    _stop(21659, _BAD_SENDER, "The number is not a Twilio number."),
    _stop(21660, _BAD_SENDER, "The number belongs to another account."),
    _stop(21661, _BAD_SENDER, "The number has no SMS capability."),
    _later(21611, "The sender's queue at the provider is full.", 5 * _MINUTE, "Raise its throughput or send less."),
    _stop(21703, _NO_SENDER, "Add a sender to the Messaging Service."),
    _stop(21704, _NO_SENDER, "Add a sender to the Messaging Service that fits the recipient's country."),
    _stop(21705, _WRONG_SERVICE, "Check the Messaging Service SID."),
    _stop(21711, _WRONG_SERVICE, "Add the sender to the service's pool, or take the service from the sender."),
    _stop(21712, _WRONG_SERVICE, "Add the sender to the service's pool, or take the service from the sender."),
    # the request
    _never(21602, "The message has no text."),
    _never(21604, "The message has no recipient."),
    _stop_account(21609, "The provider refused our callback address.", "Set a public URL; its host has no underscore."),
    _never(21617, "The message is too long."),
    _never(21619, _BAD_REQUEST),
    _never(21620, "The media address is not valid."),
    _never(21623, "The message has too many media."),
    _never(21654, "The template is missing."),
    _never(21655, "The provider does not know this template.", "Check the Content SID and its account."),
    _never(21656, "The template's variables do not fit."),
    _never(21658, _BAD_REQUEST),
    _never(21664, _BAD_REQUEST),
    _never(21666, _BAD_REQUEST),
    _never(21667, _BAD_REQUEST),
    _never(21910, "Sender and recipient are on different channels."),
    _never(35114, _BAD_SCHEDULE),
    _never(35115, _BAD_SCHEDULE),
    _never(35117, _BAD_SCHEDULE),
    _never(35118, _BAD_SCHEDULE),
    # delivery by carriers
    _later(30001, "The sender's queue at the provider is full.", 5 * _MINUTE, "Raise its throughput or send less."),
    _stop_account(30002, "The provider account is suspended.", "Look into Twilio's console for the reason."),
    _later(30003, "The recipient's phone is off or out of reach.", 2 * _HOUR, tries=1),
    _never(30004, "The recipient or the carrier blocks this sender.", effect=Effect.BLOCKED),
    _never(30005, "The recipient's number is unknown or no longer in use.", effect=Effect.UNREACHABLE),
    _never(30006, "The recipient is a landline or its carrier is out of reach.", effect=Effect.UNREACHABLE),
    _never(30007, "The carrier filtered the message.", "Never send the same text again; look at the carrier's rules."),
    _later(30008, "The carrier did not deliver, for a reason it does not tell.", 10 * _MINUTE, tries=1),
    _never(30010, "The message would cost more than allowed."),
    _later(30017, "The carrier's network is congested.", 5 * _MINUTE),
    _never(30019, "The message is too large for the carrier."),
    _later(30022, "The sender's registered rate is exceeded.", 5 * _MINUTE, "Slow down; the campaign's rate is small."),
    _later(30023, "The sender's daily limit at the carrier is reached.", 12 * _HOUR, "The brand's daily limit."),
    _stop(30024, "The sender is not set up at the carrier.", "Wait for the number's registration, or ask Twilio."),
    _later(30027, "The sender's daily limit at the carrier is reached.", 12 * _HOUR, "T-Mobile's daily limit."),
    _stop(30032, "The toll-free sender is not verified.", "Verify the toll-free number in Twilio's console."),
    _stop(30033, "The sender's campaign is suspended.", "Look at the A2P 10DLC campaign in Twilio's console."),
    _stop(30034, "The sender is not registered for US messages.", "Register the number with an A2P 10DLC campaign."),
    _later(30035, "The sender is still being set up.", _HOUR),
    _never(30036, "The message expired before it could be sent."),
    _later(30410, "The carrier did not answer in time.", 5 * _MINUTE, tries=1),
    _later(30450, "The provider holds the message back as suspected fraud.", 30 * _MINUTE, tries=1),
    _never(30610, "The provider refuses messages in the recipient's quiet hours."),
    _never(30640, "The recipient must not be written to.", "Listed as a litigator.", Effect.BLOCKED),
    # WhatsApp and other channels
    _stop(63001, _WHATSAPP_SETUP, "The channel refused Twilio's credentials: set the sender up again."),
    _stop(63002, _WHATSAPP_SETUP, "The channel refused Twilio's credentials: set the sender up again."),
    _never(63003, "The recipient is not on this channel.", effect=Effect.UNREACHABLE),
    _never(63005, _WHATSAPP_REFUSED),
    _stop(63007, "The sender is not one of this channel.", "Is the number a WhatsApp sender of this account?"),
    _stop(63008, _WHATSAPP_SETUP, "Look at the channel's settings in Twilio's console."),
    _later(63009, _WHATSAPP_DOWN, _MINUTE),
    _later(63010, _WHATSAPP_DOWN, _MINUTE),
    _later(63012, _WHATSAPP_DOWN, _MINUTE),
    _never(63013, "The message breaks a policy of the channel.", "Look at the text and the template's values."),
    _never(63014, "The recipient blocks this sender.", effect=Effect.BLOCKED),
    _act(63015, "The recipient has not joined the sandbox.", "Let them send `join …`; it lasts three days."),
    _never(63016, "WhatsApp's window is closed: a template is needed.", effect=Effect.WINDOW_CLOSED),
    _later(63017, "The sender's rate is exceeded.", 5 * _MINUTE, "Send less at a time."),
    _later(63018, "The sender's rate is exceeded.", 5 * _MINUTE, "The sender's, pair's or portfolio's limit."),
    _later(63019, "WhatsApp could not fetch the media.", _MINUTE, "Check that the media address is public.", tries=1),
    _stop(63020, _WHATSAPP_SETUP, "Accept the invitation in Meta's Business Manager."),
    _never(63021, _WHATSAPP_REFUSED),
    _never(63022, _WHATSAPP_REFUSED),
    _never(63024, "The recipient cannot be reached on WhatsApp.", effect=Effect.UNREACHABLE),
    _never(63025, _WHATSAPP_REFUSED),
    _never(63026, "The message was taken for spam.", "Look at the sender's quality rating before sending more."),
    _never(63027, "The template is not known in this language.", "Check the template's language and approval."),
    _never(63028, "The template got a wrong number of values.", "Compare its placeholders with the values given."),
    _later(63029, "The recipient's app could not fetch the template.", _MINUTE, tries=1),
    _never(63030, _WHATSAPP_REFUSED),
    _never(63031, "Sender and recipient are the same number."),
    _never(63032, "WhatsApp does not deliver to this recipient, as part of an experiment of its own."),
    _never(63033, "The recipient is blocked.", effect=Effect.BLOCKED),
    _never(63034, "The media are larger than allowed."),
    _never(63035, "The RCS sender is not launched.", "Finish the RCS sender's registration."),
    _never(63036, "The recipient cannot be reached by RCS.", effect=Effect.UNREACHABLE),
    _later(63037, "The media could not be passed on.", _MINUTE, tries=1),
    _later(63038, "The account's daily limit is reached.", 12 * _HOUR, "Trial accounts have a daily limit."),
    _act(63040, "The template was rejected.", "Use another template, or submit a corrected one."),
    _act(63041, "The template is paused.", "Its quality was low: use another until Meta lifts the pause."),
    _act(63042, "The template is disabled.", "Use another template."),
    _never(63049, "Meta held the marketing message back.", "None reach US numbers; elsewhere each person has a cap."),
    _stop(63051, "The WhatsApp sender is locked.", "Look at the account in Meta's Business Manager."),
    _stop(63101, _WHATSAPP_SETUP, "The WhatsApp Business account is not valid any more."),
    _stop(63112, "The WhatsApp sender was disabled.", "Look at the account in Meta's Business Manager."),
    _stop(63124, _WHATSAPP_SETUP, "The sender's display name was declined: choose another."),
)  # fmt: skip


def describe(code: int) -> ErrorFact:
    """What a code means; one that nobody told us of is permanent."""
    return ERRORS.get(code) or ErrorFact(
        code=code,
        verdict=ErrorClass.PERMANENT,
        sentence=f"The provider did not deliver the message (error {code}).",
        operator="Look the code up in Twilio's error dictionary.",
    )


_PREFIX: Final = "twilio_"


def problem_code(code: int) -> str:
    """How a failure names a code of the provider."""
    return f"{_PREFIX}{code}"


def code_in(problem: str) -> int | None:
    """The provider's code in a failure's name, None where it has none."""
    digits = problem.removeprefix(_PREFIX)
    return int(digits) if digits != problem and digits.isascii() and digits.isdigit() else None
