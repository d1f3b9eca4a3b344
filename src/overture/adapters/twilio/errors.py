"""Twilio's HTTP answers as failures of ours, by the table of `domain/provider_errors.py`."""

from overture.domain import provider_errors
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.provider_errors import ErrorClass, ErrorFact, Stops, describe

__all__ = ["describe", "failure_for"]


def failure_for(
    http_status: int, code: int | None, message: str | None, *, retry_after_seconds: float | None = None
) -> Failure:
    """What an answer other than success to a POST means.

    `code` and `message` are the answer's own where it could be read. 429 was never processed; a 5xx, and a success
    of another kind than was asked for, may have been, whatever its code says; every other answer was not, and its code
    tells whether it ever can be.
    """
    if http_status == 429:
        return Transient(
            provider_errors.problem_code(code or 20429),
            describe(20429).sentence,
            retry_after_seconds=retry_after_seconds,
        )
    if http_status >= 500 or http_status == 408 or http_status < 300:
        return OutcomeUnknown(
            f"twilio_http_{http_status}", f"The provider answered {http_status}: it may have taken the message or not."
        )
    if code is not None:
        return _by_fact(describe(code), message, retry_after_seconds)
    if http_status in (401, 403, 404) or http_status < 400:
        return Misconfigured(
            f"twilio_http_{http_status}",
            f"The provider answered {http_status}.",
            hint="Check the account's SID and credentials and the API's base URL.",
        )
    return Permanent(f"twilio_http_{http_status}", f"The provider refused the message with {http_status}.")


def _by_fact(fact: ErrorFact, message: str | None, retry_after_seconds: float | None) -> Failure:
    name = provider_errors.problem_code(fact.code)
    sentence = fact.sentence
    if fact.code not in provider_errors.ERRORS and message:
        sentence = f"{sentence[:-1]}: {message[:300]}"
    match fact.verdict:
        case ErrorClass.TRANSIENT:
            return Transient(name, sentence, retry_after_seconds=retry_after_seconds or fact.wait_seconds or None)
        case ErrorClass.MISCONFIGURED if fact.stops is not Stops.NOTHING:
            return Misconfigured(name, sentence, hint=fact.operator)
        case ErrorClass.UNKNOWN:
            return OutcomeUnknown(name, sentence, hint=fact.operator)
        case ErrorClass.PERMANENT | ErrorClass.MISCONFIGURED:
            return Permanent(name, sentence, hint=fact.operator)
