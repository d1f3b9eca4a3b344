"""Twilio's REST API: handing a message over, and looking at what became of it.

Twilio has no idempotency key: a repeated POST is a second message. So nothing is retried here, and the one thing that
matters about a failed POST is whether the request can have arrived. It cannot when no connection came about, or when
the answer says so (4xx); everything else, a time-out, a reset, a 5xx, an answer that cannot be read, is OutcomeUnknown.
A read may be repeated, so its failures are Transient.
"""

import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote, urlencode

import aiohttp
import msgspec

from overture.adapters.twilio import answers, callback, session_content, wire
from overture.adapters.twilio.accounts import TwilioAccount
from overture.domain.channel import WHATSAPP_PREFIX
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Misconfigured, OutcomeUnknown, Permanent, Transient, Unreachable
from overture.domain.message import Template, Text, shown
from overture.domain.ports import Accepted, MessagePage, Outgoing, ProviderMessage

__all__ = ["TwilioAccount", "TwilioClient"]

_TIMEOUT: Final = aiohttp.ClientTimeout(total=8, connect=5)
"""Seconds. Twilio answers a POST within one; who waits longer learns nothing but that the outcome is unknown.

A provider that swallows requests is to be known for dead within ten seconds of the first.
"""

_ASIDE: Final = aiohttp.ClientTimeout(total=3, connect=2)  # seconds; neither a button nor a courtesy is worth more
_CONTENT_REFUSED: Final = frozenset({"twilio_21655", "twilio_21656"})  # the provider does not know it any more
_FORM: Final = "application/x-www-form-urlencoded"

_PAGE: Final = 1000  # Twilio's largest
_SID: Final = re.compile(r"(?:SM|MM)[0-9a-f]{32}")


class TwilioClient:
    """Twilio as a Provider, over one HTTP session that is opened with the first request.

    `accounts` may change while in use. How many requests run at once is the caller's to bound. Without
    `public_base_url` no status callbacks are asked for.
    """

    def __init__(
        self,
        *,
        accounts: Mapping[str, TwilioAccount],
        secret: bytes,
        public_base_url: str | None = None,
        timeout: aiohttp.ClientTimeout = _TIMEOUT,
    ) -> None:
        self._accounts = accounts
        self._secret = secret
        self._public_base_url = public_base_url
        self._timeout = timeout
        self._contents = session_content.Contents()
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session; the client may not be used afterwards."""
        if self._opened is not None:
            await self._opened.close()

    async def send(self, outgoing: Outgoing) -> Accepted:
        """Hand one attempt over. Raises Transient, Permanent, Misconfigured or OutcomeUnknown.

        Choices go as content of the provider's; where it will not have that, and says so, as numbered text.
        """
        account = self._account(outgoing.account_sid)
        content_sid = await self._find_content(account, outgoing)
        try:
            return await self._hand_over(account, outgoing, content_sid)
        except Permanent as refused:
            if content_sid is None or refused.code not in _CONTENT_REFUSED:
                raise
            self._contents.forget(content_sid)
            return await self._hand_over(account, outgoing, None)

    async def _find_content(self, account: TwilioAccount, outgoing: Outgoing) -> str | None:
        body = outgoing.body
        if not isinstance(body, Text) or not body.options or not outgoing.to.startswith(WHATSAPP_PREFIX):
            return None
        url = f"{account.content_url or account.base_url}/v1/Content"

        async def create(form: bytes) -> answers.Answer:
            return await self._post(account, url, form, written_as="application/json", aside=True)

        return await self._contents.find(account.sid, body.text, body.options, create)

    async def _hand_over(self, account: TwilioAccount, outgoing: Outgoing, content_sid: str | None) -> Accepted:
        url = f"{account.base_url}/2010-04-01/Accounts/{account.sid}/Messages.json"
        try:
            answer = await self._post(account, url, self._form(outgoing, content_sid))
        except aiohttp.InvalidURL as error:
            raise answers.bad_base_url(account.base_url) from error
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise Unreachable("twilio_unreachable", "No connection to the provider came about.") from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise OutcomeUnknown("twilio_no_answer", "The provider did not answer.") from error
        if answer.status not in (200, 201):
            raise answers.failure(answer)
        created = answers.decode(wire.CREATED, answer.body)
        if created is None or not _SID.fullmatch(created.sid):
            raise OutcomeUnknown("twilio_unreadable", "The provider's answer could not be read.")
        return Accepted(
            sid=created.sid,
            status=wire.STATUSES.get(created.status, DeliveryStatus.QUEUED),
            segments=wire.whole_number(created.num_segments) or None,  # 0: a Messaging Service has yet to choose
        )

    async def list_pages(
        self, account_sid: str, *, page_size: int, sender: str | None = None, to: str | None = None
    ) -> AsyncIterator[MessagePage]:
        """The account's messages of both directions, newest first, a request a page, as long as they are asked for.

        With `sender` or `to`, in the provider's form, only those from or to that address. Not asked for by date:
        whether Twilio's date filter finds what has not been sent yet is not documented. Raises Transient, Permanent or
        Misconfigured, also for pages that lead round in a circle.
        """
        account = self._account(account_sid)
        narrowed = {"To": to, "From": sender}
        query = {name: address for name, address in narrowed.items() if address is not None}
        asked = urlencode({**query, "PageSize": str(max(1, min(page_size, _PAGE)))})
        path: str | None = f"/2010-04-01/Accounts/{account.sid}/Messages.json?{asked}"
        been: set[str] = set()
        while path is not None:
            been.add(path)
            page = answers.read(wire.MESSAGES, await self._get(account, path))
            path = _next(account, page.next_page_uri)
            if path in been:
                answers.unreadable()
            yield MessagePage(messages=tuple(page.to_domain()), is_last=path is None)

    async def fetch(self, account_sid: str, sid: str) -> ProviderMessage | None:
        """One message by its SID, None where the provider knows none."""
        if not _SID.fullmatch(sid):
            return None
        account = self._account(account_sid)
        answer = await self._get(account, f"/2010-04-01/Accounts/{account.sid}/Messages/{sid}.json")
        return None if answer.status == 404 else answers.read(wire.MESSAGE, answer).to_domain()

    async def show_typing(self, account_sid: str, sid: str) -> None:
        """Show the writer of an inbound WhatsApp message that an answer is being written, for 25 seconds at most.

        It marks the message as read, too. Raises Transient, Permanent or Misconfigured.
        """
        account = self._account(account_sid)
        url = f"{account.messaging_url or account.base_url}/v2/Indicators/Typing.json"
        form = urlencode({"messageId": sid, "channel": "whatsapp"}).encode()
        try:
            answer = await self._post(account, url, form, aside=True)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient("twilio_no_answer", "The provider did not answer.") from error
        if answer.status not in (200, 201, 202, 204):
            raise answers.failure(answer)

    def _form(self, outgoing: Outgoing, content_sid: str | None) -> bytes:
        fields = {"To": outgoing.to, "From": outgoing.sender, "ValidityPeriod": str(_validity(outgoing))}
        if outgoing.messaging_service_sid:
            fields["MessagingServiceSid"] = outgoing.messaging_service_sid
        if self._public_base_url:
            fields["StatusCallback"] = callback.status_callback_url(
                self._public_base_url, outgoing.message_id, outgoing.attempt, self._secret
            )
        match outgoing.body:
            case Text() if content_sid is not None:
                fields["ContentSid"] = content_sid
            case Text() as body:
                fields["Body"] = shown(body)
            case Template(content_sid=sid, variables=variables):
                fields["ContentSid"] = sid
                if variables:
                    fields["ContentVariables"] = msgspec.json.encode(variables).decode()
        return urlencode(fields, quote_via=quote, errors="replace").encode()

    def _account(self, account_sid: str) -> TwilioAccount:
        account = self._accounts.get(account_sid)
        if account is None:
            raise Misconfigured(
                "twilio_account_unknown",
                "The sender's provider account is not set up.",
                hint=f"Give the credentials of {account_sid}.",
            )
        return account

    async def _post(
        self, account: TwilioAccount, url: str, body: bytes, *, written_as: str = _FORM, aside: bool = False
    ) -> answers.Answer:
        """The answer to a POST; one that is made `aside` gets less time."""
        headers = {"Authorization": account.authorization, "Content-Type": written_as}
        within = _ASIDE if aside else self._timeout
        async with self._session().post(
            url, data=body, headers=headers, allow_redirects=False, timeout=within
        ) as response:
            return await answers.whole(response)

    async def _get(self, account: TwilioAccount, path: str) -> answers.Answer:
        """The answer to a read: a success, or 404. Raises Transient, Permanent or Misconfigured."""
        return await answers.get(self._session(), account.base_url + path, account.authorization)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),  # the caller bounds how many run at once
                timeout=self._timeout,
                auto_decompress=True,
                headers={"User-Agent": "overture", "Accept": "application/json"},
            )
        return self._opened


def _validity(outgoing: Outgoing) -> int:
    """The seconds that Twilio may hold a message: one at least, ten hours at most; the outbox ends later ones."""
    return max(1, min(outgoing.validity_seconds, 36_000))


def _next(account: TwilioAccount, uri: str | None) -> str | None:
    """The next page's path, which must lead to the same account: our credentials go with it."""
    if uri is None:
        return None
    if not uri.startswith(f"/2010-04-01/Accounts/{account.sid}/"):
        answers.unreadable()
    return uri
