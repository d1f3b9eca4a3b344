"""What came with a message, fetched from Twilio: authenticated, guarded, bounded.

Twilio answers a medium's address with a redirect to its store. The credentials go to the account's own API alone and
never follow a redirect; no address may lead into a private network but the API's own, which the operator named.
Source: Twilio's media resource; limits: 5 MB for MMS, 16 MB for WhatsApp.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Final

import aiohttp
from yarl import URL

from overture.adapters import guard
from overture.adapters.twilio.accounts import TwilioAccount
from overture.domain.errors import Misconfigured, Permanent, Transient
from overture.domain.ports import FetchedMedium

LARGEST: Final = 16 * 1024 * 1024 + 64 * 1024  # WhatsApp's limit, and a little for how it is counted
_TIMEOUT: Final = aiohttp.ClientTimeout(total=60, connect=5, sock_read=15)  # seconds: 16 MB over a slow line
_REDIRECTS: Final = 3  # Twilio needs one
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_API_HOSTS: Final = ".twilio.com"


class TwilioMedia:
    """Fetches media of messages; its session is opened with the first request. `accounts` may change while in use."""

    def __init__(self, accounts: Mapping[str, TwilioAccount]) -> None:
        self._accounts: Final = accounts
        self._own: Final = _Own(accounts)
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session."""
        if self._opened is not None:
            await self._opened.close()

    async def fetch_medium(self, account_sid: str, url: str) -> FetchedMedium:
        """One medium. Raises Transient, Permanent (gone, too large, an address we do not ask) or Misconfigured."""
        account = self._accounts.get(account_sid)
        if account is None:
            raise Misconfigured("twilio_account_unknown", "The provider account of the medium is not set up.")
        try:
            return await self._follow(account, URL(url, encoded=True))
        except guard.Refused as refused:
            raise Permanent("media_address_refused", f"The medium's address is {refused}.") from refused
        except (ValueError, aiohttp.InvalidURL) as wrong:
            raise Permanent("media_address_refused", "The medium's address cannot be read.") from wrong
        except (aiohttp.ClientError, TimeoutError, OSError) as away:
            if isinstance(away.__cause__, guard.Refused):
                raise Permanent("media_address_refused", f"The medium's address is {away.__cause__}.") from away
            raise Transient("media_unreachable", "The medium could not be fetched.") from away

    async def _follow(self, account: TwilioAccount, url: URL) -> FetchedMedium:
        for _ in range(_REDIRECTS + 1):
            guard.refuse_private(url, trusted=self._own)
            headers = {"Authorization": account.authorization} if self._is_api(account, url) else {}
            async with self._session().get(url, headers=headers, allow_redirects=False) as response:
                where = response.headers.get("Location")
                if response.status in _MOVED and where is not None:
                    url = url.join(URL(where, encoded=True))
                    continue
                return await _read(response)
        raise Permanent("media_redirects", "The medium's address leads from one to the next.")

    def _is_api(self, account: TwilioAccount, url: URL) -> bool:
        """Whether an address is the account's own API: the one that was set, or Twilio's in another region."""
        if url.origin() in _origins(account):
            return True
        base = URL(account.base_url).host or ""
        return url.scheme == "https" and base.endswith(_API_HOSTS) and (url.host or "").endswith(_API_HOSTS)

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None or self._opened.closed:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=guard.GuardedResolver(trusted=self._own), limit=20),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,  # a small answer that unpacks into gigabytes is not unpacked
                trust_env=False,
            )
        return self._opened


class _Own(Collection[URL]):
    """The origins of the APIs that the operator named, as the accounts in force have them."""

    def __init__(self, accounts: Mapping[str, TwilioAccount]) -> None:
        self._accounts: Final = accounts

    def __contains__(self, origin: object) -> bool:
        return any(origin in _origins(account) for account in self._accounts.values())

    def __iter__(self) -> Iterator[URL]:
        return (origin for account in self._accounts.values() for origin in _origins(account))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _origins(account: TwilioAccount) -> tuple[URL, ...]:
    try:
        return tuple(URL(url).origin() for url in (account.base_url, account.media_url) if url)
    except ValueError:  # no address that anything could be fetched from
        return ()


async def _read(response: aiohttp.ClientResponse) -> FetchedMedium:
    match response.status:
        case 200:
            pass
        case 404 | 410:
            raise Permanent("media_gone", "The provider has no such medium any more.")
        case 401 | 403:
            raise Misconfigured("media_forbidden", f"The provider refused the medium with {response.status}.")
        case status if status >= 500 or status in (408, 425, 429):
            raise Transient("media_unreachable", f"The provider answered {status}.")
        case status:
            raise Permanent("media_refused", f"The provider refused the medium with {status}.")
    if (response.content_length or 0) > LARGEST:
        raise Permanent("media_too_large", f"The medium has {response.content_length} bytes; kept are {LARGEST}.")
    chunks, size = [], 0
    async for chunk in response.content.iter_chunked(64 * 1024):
        size += len(chunk)
        if size > LARGEST:
            raise Permanent("media_too_large", f"The medium has more than {LARGEST} bytes.")
        chunks.append(chunk)
    return FetchedMedium(content_type=response.content_type[:200], body=b"".join(chunks))
