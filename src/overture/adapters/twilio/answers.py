"""Twilio's HTTP answers, read defensively: they may break off, drip, be HTML of a load balancer, or huge."""

import json
from email.utils import parsedate_to_datetime
from typing import Final, Never, TypeVar

import aiohttp
import msgspec
from msgspec import Struct

from overture.adapters.twilio import errors, wire
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Transient

_LARGEST: Final = 8 * 1024 * 1024  # a page of a thousand messages of 1,600 characters is a third of it
_LONGEST_PAUSE: Final = 3600.0  # no Retry-After is believed beyond an hour

_Read = TypeVar("_Read", bound=Struct)


class Answer(Struct, frozen=True):
    """An answer; a body that broke off or was too large is None: the status alone may tell enough."""

    status: int
    body: bytes | None
    retry_after_seconds: float | None


async def whole(response: aiohttp.ClientResponse) -> Answer:
    """An answer with as much of its body as came."""
    try:
        body = await _all(response)
    except (aiohttp.ClientError, TimeoutError, OSError):
        body = None
    return Answer(response.status, body, _pause(response.headers.get("Retry-After"), response.headers.get("Date")))


async def get(session: aiohttp.ClientSession, url: str, authorization: str) -> Answer:
    """The answer to a read: a success, or 404. Raises Transient, Permanent or Misconfigured."""
    headers = {"Authorization": authorization}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as response:
            answer = await whole(response)
    except aiohttp.InvalidURL as error:
        raise bad_base_url(url) from error
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise Transient("twilio_no_answer", "The provider did not answer.") from error
    if answer.status in (200, 404):
        return answer
    failed = failure(answer)
    if isinstance(failed, OutcomeUnknown):
        raise Transient(failed.code, "The provider could not answer.")
    raise failed


def bad_base_url(url: str) -> Misconfigured:
    """What is to be said of an address that is none."""
    return Misconfigured("twilio_base_url", "The provider's API address is no URL.", hint=f"Correct it: {url!r}.")


async def _all(response: aiohttp.ClientResponse) -> bytes | None:
    chunks, size = [], 0
    async for chunk in response.content.iter_any():
        size += len(chunk)
        if size > _LARGEST:
            return None
        chunks.append(chunk)
    return b"".join(chunks)


def _pause(retry_after: str | None, date: str | None) -> float | None:
    """The seconds that a Retry-After asks for; a date is counted from the answer's own, whatever our clock says."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after) - parsedate_to_datetime(date or "")).total_seconds()
        except (ValueError, TypeError):
            return None
    return min(seconds, _LONGEST_PAUSE) if seconds >= 0 else None


def failure(answer: Answer) -> Failure:
    """What an answer other than success to a POST means."""
    problem = decode(wire.PROBLEM, answer.body)
    code = problem.code if problem else None
    message = (problem.message or problem.detail) if problem else None
    return errors.failure_for(answer.status, code, message, retry_after_seconds=answer.retry_after_seconds)


def read(decoder: msgspec.json.Decoder[_Read], answer: Answer) -> _Read:
    """What an answer to a read holds. Raises Misconfigured for a 404, Transient for what cannot be read."""
    if answer.status == 404:
        raise failure(answer)
    read = decode(decoder, answer.body)
    if read is None:
        unreadable()
    return read


def unreadable() -> Never:
    """Raise Transient: a read may be repeated."""
    raise Transient("twilio_unreadable", "The provider's answer could not be read.")


def decode(decoder: msgspec.json.Decoder[_Read], body: bytes | None) -> _Read | None:
    """What a body holds, None where it is not of that shape."""
    for form in (bytes, _of_whole_characters):
        try:
            return decoder.decode(form(body or b""))
        except (msgspec.MsgspecError, ValueError, RecursionError):
            continue
    return None


def _of_whole_characters(body: bytes) -> bytes:
    """A body with another sign for each half of a character, as a carrier leaves it that cuts an emoji in two.

    One such text must not make the whole list unreadable, and everybody wait for it.
    """
    return json.dumps(json.loads(body.decode(errors="replace")), ensure_ascii=False).encode(errors="replace")
