"""Twilio's REST API as far as wiring needs it: the account, its numbers, services and WhatsApp senders.

Three hosts and two dialects: api.twilio.com pages by relative addresses beside the rows, messaging and conversations
by absolute ones under `meta`. Only the path of a next page is followed, and only where it is the path that was asked
for: our credentials go with it. To set an address twice is to set it once, so whatever may have happened is Transient.
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlencode, urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from overture.adapters.twilio import answers, shapes
from overture.adapters.twilio.accounts import TwilioAccount
from overture.domain.account import Credentials
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.wiring import OwnedNumber, Place, Service, Setting, WhatsAppSender

_TIMEOUT: Final = aiohttp.ClientTimeout(total=20, connect=5)  # a page of a thousand numbers takes some seconds
_PAGE: Final = 1000  # Twilio's largest
_MOST_PAGES: Final = 200  # of a thousand each: no account has more, and a list that leads in a circle ends

T = TypeVar("T", bound=Struct)


class AccountLook(Struct, frozen=True, kw_only=True):
    """An account as it shows itself, and the provider's clock. `owner_sid` is its parent's, or its own."""

    sid: str
    name: str
    status: str
    type: str
    owner_sid: str
    told_at: datetime | None = None


class TwilioWiring:
    """One account's wiring, over an HTTP session of its own. Every method raises a Failure where it cannot answer."""

    def __init__(self, given: Credentials, *, timeout: aiohttp.ClientTimeout = _TIMEOUT) -> None:
        account = _logged_in(given)
        self._sid = given.sid
        self._has_key_alone = not account.auth_token
        self._urls = given.urls
        self._root = f"{given.urls.api}/2010-04-01/Accounts/{given.sid}"
        headers = {
            "Authorization": account.authorization,
            "User-Agent": "overture",
            "Accept": "application/json",
        }
        self._session = aiohttp.ClientSession(timeout=timeout, headers=headers)

    async def __aenter__(self) -> "TwilioWiring":
        """Use it; the session is closed at the end."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the session."""
        await self._session.close()

    async def read_account(self) -> AccountLook:
        """The account itself. A key that may not read accounts is tried at the numbers: only the SID is told then."""
        try:
            answer, told_at = await self._ask("GET", f"{self._root}.json")
        except Misconfigured:
            if not self._has_key_alone:
                raise
            answer, told_at = await self._ask("GET", f"{self._root}/IncomingPhoneNumbers.json?PageSize=1")
            return AccountLook(
                sid=self._sid, name="", status="active", type="Full", owner_sid=self._sid, told_at=told_at
            )
        account = _read(shapes.Account, answer)
        return AccountLook(
            sid=account.sid,
            name=account.friendly_name or "",
            status=account.status or "active",
            type=account.type or "Full",
            owner_sid=account.owner_account_sid or account.sid,
            told_at=told_at,
        )

    async def list_sub_accounts(self) -> list[str]:
        """The SIDs of the sub-accounts that are in use."""
        url = f"{self._urls.api}/2010-04-01/Accounts.json?PageSize={_PAGE}"
        pages = [page async for page in self._pages(shapes.Accounts, url)]
        found = [account for page in pages for account in page.accounts]
        return [a.sid for a in found if a.sid != self._sid and a.status != "closed"]

    async def list_numbers(self) -> AsyncIterator[tuple[OwnedNumber, ...]]:
        """The account's phone numbers, a page at a time."""
        async for page in self._pages(shapes.Numbers, f"{self._root}/IncomingPhoneNumbers.json?PageSize={_PAGE}"):
            yield tuple(number.to_domain() for number in page.incoming_phone_numbers)

    async def list_services(self) -> list[Service]:
        """The Messaging Services, with their pools."""
        root = f"{self._urls.messaging}/v1/Services"
        pages = [page async for page in self._pages(shapes.Services, f"{root}?PageSize={_PAGE}")]
        return [await self._with_pool(root, service) for page in pages for service in page.services]

    async def list_whatsapp_senders(self) -> list[WhatsAppSender]:
        """The WhatsApp senders; the sandbox is none of them."""
        url = f"{self._urls.messaging}/v2/Channels/Senders?{urlencode({'Channel': 'whatsapp', 'PageSize': 100})}"
        return [s.to_domain() async for page in self._pages(shapes.Senders, url) for s in page.senders]

    async def list_conversing(self) -> frozenset[str]:
        """The senders whose messages become conversations of Twilio's own; none where that cannot be read."""
        url = f"{_conversations(self._urls.messaging)}/v1/Configuration/Addresses?PageSize=100"
        try:
            pages = [page async for page in self._pages(shapes.Addresses, url)]
        except Failure:
            return frozenset()  # a key without the right, an account without the product: only a warning hangs on it
        found = [address for page in pages for address in page.address_configurations]
        return frozenset(one.address for one in found if one.auto_creation is not None and one.auto_creation.enabled)

    async def find(self, place: Place, sid: str) -> Setting | None:
        """What a place is set to now; None where it is no more."""
        answer, _ = await self._ask("GET", self._url(place, sid))
        return None if answer.status == 404 else _setting(place, answer)

    async def change(self, place: Place, sid: str, setting: Setting) -> Setting | None:
        """Set a place; what it is set to then, None where it is no more."""
        answer, _ = await self._ask("POST", self._url(place, sid), _body(place, setting))
        return None if answer.status == 404 else _setting(place, answer)

    def _url(self, place: Place, sid: str) -> str:
        match place:
            case Place.NUMBER:
                return f"{self._root}/IncomingPhoneNumbers/{sid}.json"
            case Place.SERVICE:
                return f"{self._urls.messaging}/v1/Services/{sid}"
            case Place.WHATSAPP:
                return f"{self._urls.messaging}/v2/Channels/Senders/{sid}"

    async def _with_pool(self, root: str, service: shapes.Service) -> Service:
        own = f"{root}/{service.sid}"
        in_pool = [page async for page in self._pages(shapes.PoolNumbers, _all(f"{own}/PhoneNumbers"))]
        channels = [page async for page in self._pages(shapes.PoolSenders, _all(f"{own}/ChannelSenders"))]
        named = [page async for page in self._pages(shapes.PoolNames, _all(f"{own}/AlphaSenders"))]
        return Service(
            sid=service.sid,
            name=service.friendly_name or "",
            setting=service.setting,
            leaves_it_to_numbers=bool(service.use_inbound_webhook_on_number),
            us_registered=bool(service.us_app_to_person_registered),
            senders=(
                *(one.phone_number for page in in_pool for one in page.phone_numbers),
                *(one.sender for page in channels for one in page.senders),
            ),
            names=tuple(one.alpha_sender for page in named for one in page.alpha_senders),
        )

    async def _pages(self, kind: type[T], url: str) -> AsyncIterator[T]:
        path = urlsplit(url).path
        for _ in range(_MOST_PAGES):
            answer, _told_at = await self._ask("GET", url)
            page = _read(kind, answer)
            yield page
            following = _following(page)
            if following is None:
                return
            parts = urlsplit(following)
            if parts.path != path or not parts.query:
                answers.unreadable()
            url = f"{url.partition('?')[0]}?{parts.query}"
        answers.unreadable()

    async def _ask(
        self, method: str, url: str, given: Mapping[str, Any] | None = None
    ) -> tuple[answers.Answer, datetime | None]:
        """The answer, a success or 404, and when the provider says that it gave it."""
        try:
            async with self._session.request(method, url, allow_redirects=False, **(given or {})) as response:
                answer, date = await answers.whole(response), response.headers.get("Date", "")
        except aiohttp.InvalidURL as error:
            hint = f"Correct it: {self._urls.api!r}."
            raise Misconfigured("twilio_base_url", "The provider's API address is no URL.", hint=hint) from error
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Transient("twilio_no_answer", "The provider did not answer.") from error
        if answer.status in (200, 201, 202, 404):
            return answer, _instant(date)
        failure = answers.failure(answer)
        if isinstance(failure, OutcomeUnknown):
            raise Transient(failure.code, "The provider could not answer.")
        if answer.status == 403:
            told = "may not read this" if method == "GET" else "may read, but not change where messages go"
            hint = "Use the account's auth token, or an API key that has the right."
            raise Permanent("twilio_may_not", f"These credentials {told}.", hint=hint)
        raise failure


def _logged_in(given: Credentials) -> TwilioAccount:
    """By the auth token where there is one: it may do more than most keys."""
    if given.auth_tokens:
        return TwilioAccount(sid=given.sid, auth_token=given.auth_tokens[0])
    return TwilioAccount(sid=given.sid, api_key_sid=given.api_key_sid, api_key_secret=given.api_key_secret)


def _conversations(messaging: str) -> str:
    """Where the Conversations API is, by where the messaging API is."""
    return messaging.replace("//messaging.", "//conversations.", 1)


def _body(place: Place, setting: Setting) -> Mapping[str, Any]:
    match place:
        case Place.NUMBER:
            names = {"SmsUrl": setting.url, "SmsMethod": setting.method, "SmsApplicationSid": setting.application_sid}
            return {"data": names}
        case Place.SERVICE:
            return {"data": {"InboundRequestUrl": setting.url, "InboundMethod": setting.method}}
        case Place.WHATSAPP:
            return {"json": {"webhook": {"callback_url": setting.url, "callback_method": setting.method}}}


def _all(url: str) -> str:
    return f"{url}?PageSize=100"  # the largest that every list of the messaging host takes


def _following(page: Struct) -> str | None:
    uri = getattr(page, "next_page_uri", None)
    return uri if uri is not None else getattr(getattr(page, "meta", None), "next_page_url", None)


def _setting(place: Place, answer: answers.Answer) -> Setting:
    match place:
        case Place.NUMBER:
            return _read(shapes.Number, answer).to_domain().setting
        case Place.SERVICE:
            return _read(shapes.Service, answer).setting
        case Place.WHATSAPP:
            return _read(shapes.Sender, answer).to_domain().setting


def _read(kind: type[T], answer: answers.Answer) -> T:
    return answers.read(msgspec.json.Decoder(kind), answer)


def _instant(date: str) -> datetime | None:
    try:
        told_at = parsedate_to_datetime(date)
    except (ValueError, TypeError):
        return None
    return told_at if told_at.tzinfo else None
