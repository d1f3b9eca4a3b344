"""The webhook client: signs, posts, waits, retries as the URL's fragment says, and keeps account of it all.

The headers are those that Twilio's webhooks were seen to carry. Each webhook keeps one idempotency token over all
its attempts. Nothing beyond the first 64 KiB of an answer is read.
"""

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlencode, urlsplit

import aiohttp
import msgspec
import yarl

from handset.carrier import overrides
from handset.clock import Clock
from handset.config import Config
from handset.signing import signature, signed_url
from handset.state.nouns import Attempt, Webhook
from handset.state.store import Store

ANSWER_LIMIT: Final = 65_536  # Twilio's limit on a TwiML document
IDLE_SECONDS: Final = 2.0  # below the 5 s of common servers, so that no request meets a connection being closed

HEADERS: Final = {
    "User-Agent": "TwilioProxy/1.1",
    "Accept": "*/*",
    "Accept-Encoding": "gzip,deflate",
    "Cache-Control": "max-age=259200",
    "Content-Type": "application/x-www-form-urlencoded; charset=utf-8",
}


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One request's outcome: an answer, or the trouble that stood in its way."""

    attempt: Attempt
    body: bytes = b""
    content_type: str = ""
    trouble: overrides.Trouble | None = None
    error_code: int | None = None


OnAnswer = Callable[[Webhook, Answered], Awaitable[Webhook]]


class Postman:
    """Delivers webhooks."""

    def __init__(self, *, config: Config, store: Store, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Open the session."""
        connector = aiohttp.TCPConnector(limit=200, keepalive_timeout=IDLE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, skip_auto_headers=("User-Agent",)
        )

    async def stop(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()

    async def deliver(self, webhook: Webhook, *, token: str | None = None) -> tuple[Webhook, Answered]:
        """Call until it is answered or the policy is exhausted; each attempt is put on record.

        `token` signs in place of the account's. A webhook that was finished is called anew, with all its retries.
        """
        settings = overrides.parse(webhook.url)
        token = token or self._config.account_of(webhook.account_sid).auth_token
        earlier = len(webhook.attempts) if webhook.finished else 0
        headers = HEADERS | {
            "X-Twilio-Signature": signature(auth_token=token, url=_called(webhook), params=_form(webhook).items()),
            "I-Twilio-Idempotency-Token": webhook.token,
        }
        while True:
            answered = await self._attempt(webhook, headers, settings)
            retried = answered.trouble in settings.retried and len(webhook.attempts) - earlier < settings.retries
            webhook = msgspec.structs.replace(
                webhook,
                attempts=(*webhook.attempts, answered.attempt),
                status=answered.attempt.status,
                error=answered.attempt.error,
                error_code=answered.error_code,
                finished=not retried,
            )
            if self._store.knows_webhook(webhook.id):
                self._store.put_webhook(webhook)
            if not retried:
                return webhook, answered

    async def forge(self, webhook: Webhook) -> int | None:
        """Call once with a signature that nobody's token made; the status of the answer, None if there was none."""
        noise = hashlib.sha1(webhook.id.encode(), usedforsecurity=False).digest()
        headers = HEADERS | {
            "X-Twilio-Signature": base64.b64encode(noise).decode(),
            "I-Twilio-Idempotency-Token": webhook.token,
        }
        answered = await self._attempt(webhook, headers, overrides.parse(webhook.url))
        return answered.attempt.status

    async def _attempt(self, webhook: Webhook, headers: dict[str, str], settings: overrides.Overrides) -> Answered:
        loop = asyncio.get_running_loop()
        began, at = loop.time(), self._clock.now()

        def missed(trouble: overrides.Trouble, code: int, error: str) -> Answered:
            attempt = Attempt(at=at, seconds=round(loop.time() - began, 4), error=error)
            return Answered(attempt=attempt, trouble=trouble, error_code=code)

        try:
            status, body, content_type = await self._request(webhook, headers, settings)
        except aiohttp.ConnectionTimeoutError:
            return missed("ct", 11205, f"no connection within {settings.connect_seconds:g} s")
        except TimeoutError:
            return missed("rt", 11205, f"no answer within {settings.read_seconds:g} s")
        except aiohttp.ClientConnectorDNSError as error:
            return missed("ct", 11210, f"host not found: {error.host}")
        except aiohttp.ClientConnectorError as error:
            return missed("ct", 11205, f"no connection: {error.strerror or error}")
        except (aiohttp.ClientError, ValueError, OSError) as error:
            return missed("rt", 11200, f"{type(error).__name__}: {error}")
        trouble: overrides.Trouble | None = None
        if status >= 400:
            trouble = "5xx" if status >= 500 else "4xx"
        attempt = Attempt(
            at=at,
            seconds=round(loop.time() - began, 4),
            status=status,
            error=f"answered {status}" if trouble else None,
        )
        code = 11200 if trouble else None
        return Answered(attempt=attempt, body=body, content_type=content_type, trouble=trouble, error_code=code)

    async def _request(
        self, webhook: Webhook, headers: dict[str, str], settings: overrides.Overrides
    ) -> tuple[int, bytes, str]:
        if self._session is None:
            raise RuntimeError("the postman has not been started")
        timeout = aiohttp.ClientTimeout(
            total=settings.total_seconds, sock_connect=settings.connect_seconds, sock_read=settings.read_seconds
        )
        url = yarl.URL(signed_url(_called(webhook)), encoded=True)  # verbatim: what is signed is what is asked for
        form = urlencode(_form(webhook), errors="replace").encode() if webhook.method == "POST" else None
        asked = urlsplit(webhook.url)
        tries: list[dict[str, str]] = [{}]
        if asked.username:
            # as Twilio does, the first request comes without credentials and waits for the challenge
            login = aiohttp.encode_basic_auth(unquote(asked.username), unquote(asked.password or ""))
            tries.append({"Authorization": login})
        for login_header in tries:
            async with self._session.request(
                webhook.method, url, data=form, headers=headers | login_header, timeout=timeout
            ) as response:
                body = await _first_bytes(response)
                if response.status != 401 or login_header is tries[-1]:
                    return response.status, body, response.headers.get("Content-Type", "")
        raise AssertionError("the last try always answers")


def _form(webhook: Webhook) -> dict[str, str]:
    """What stands in the body; a GET has none."""
    return webhook.params if webhook.method == "POST" else {}


def _called(webhook: Webhook) -> str:
    """The address with all that a GET says in its query."""
    if webhook.method == "POST":
        return webhook.url
    before, mark, fragment = webhook.url.partition("#")
    query = urlencode(webhook.params, errors="replace")
    return f"{before}{'&' if '?' in before else '?'}{query}{mark}{fragment}"


async def _first_bytes(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= ANSWER_LIMIT:
            break
    return body[:ANSWER_LIMIT]
