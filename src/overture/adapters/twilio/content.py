"""Twilio's Content API: an account's templates and their WhatsApp approvals.

A dialect of its own: JSON with absolute URLs under `meta`, on a host of its own. Its paging URLs name no place of
ours to go: only their query is taken, so that credentials stay with the account's own address. What a template says
is read leniently, type by type: one that has become strange is shown with less, never taken for gone.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
from msgspec import Struct

from overture.adapters.twilio import answers, content_reading, wire
from overture.adapters.twilio.accounts import TwilioAccount
from overture.domain.errors import Misconfigured, Transient
from overture.domain.template import Template

_TIMEOUT: Final = aiohttp.ClientTimeout(total=8, connect=5)  # seconds, a page
_PAGE: Final = 500
_MOST_PAGES: Final = 40  # twenty thousand templates: Meta allows an account six thousand
_NOT_FOUND: Final = 20404  # Twilio's own 404; a proxy's says nothing of a template
_LIST: Final = "/v1/ContentAndApprovals"


class _Meta(Struct, frozen=True):
    next_page_url: str | None = None


class _Page(Struct, frozen=True):
    contents: list[dict[str, Any]]
    meta: _Meta = _Meta()


class _One(Struct, frozen=True, kw_only=True):
    sid: str
    friendly_name: Any = None
    language: Any = None
    variables: Any = None
    types: Any = None


class _Approval(Struct, frozen=True, kw_only=True):
    whatsapp: Any = None


_PAGE_OF: Final = msgspec.json.Decoder(_Page)
_ONE: Final = msgspec.json.Decoder(_One)
_APPROVAL: Final = msgspec.json.Decoder(_Approval)


class TwilioContent:
    """Templates as a TemplateSource, over one HTTP session that is opened with the first request."""

    def __init__(self, accounts: Mapping[str, TwilioAccount], *, timeout: aiohttp.ClientTimeout = _TIMEOUT) -> None:
        self._accounts: Final = accounts
        self._timeout: Final = timeout
        self._opened: aiohttp.ClientSession | None = None

    async def aclose(self) -> None:
        """Close the session; nothing may be asked for afterwards."""
        if self._opened is not None:
            await self._opened.close()

    async def list_templates(self, account_sid: str) -> list[Template]:
        """Every template of an account. Raises Transient or Misconfigured, also for pages that have no end."""
        account = self._account(account_sid)
        query, been = f"PageSize={_PAGE}", set[str]()
        found: dict[str, Template] = {}
        while len(been) < _MOST_PAGES:
            been.add(query)
            page = answers.read(_PAGE_OF, await self._get(account, f"{_LIST}?{query}"))
            for row in page.contents:
                if (template := content_reading.read(row, row.get("approval_requests"), account.sid)) is None:
                    answers.unreadable()
                found[template.content_sid] = template
            if page.meta.next_page_url is None:
                return list(found.values())
            query = _query(page.meta.next_page_url)
            if query in been:
                break
        raise Transient("twilio_unreadable", "The provider's list of templates has no end.")

    async def fetch_template(self, account_sid: str, content_sid: str) -> Template | None:
        """One template with its approval, None where the account has none of that SID.

        Raises Transient or Misconfigured.
        """
        account = self._account(account_sid)
        if content_reading.SID.fullmatch(content_sid) is None:
            return None
        own = f"/v1/Content/{content_sid}"
        answer, approval = await asyncio.gather(
            self._get_or_none(account, own), self._get_or_none(account, f"{own}/ApprovalRequests")
        )
        if answer is None:
            return None
        told = None if approval is None else answers.read(_APPROVAL, approval).whatsapp
        template = content_reading.read(msgspec.to_builtins(answers.read(_ONE, answer)), told, account.sid)
        if template is None or template.content_sid.lower() != content_sid.lower():
            answers.unreadable()
        return template

    def _account(self, account_sid: str) -> TwilioAccount:
        account = self._accounts.get(account_sid)
        if account is None:
            raise Misconfigured(
                "twilio_account_unknown",
                "The template's provider account is not set up.",
                hint=f"Give the credentials of {account_sid}.",
            )
        return account

    async def _get_or_none(self, account: TwilioAccount, path: str) -> answers.Answer | None:
        """An answer, None where it is Twilio's own word that there is nothing."""
        answer = await self._get(account, path)
        if answer.status == 200:
            return answer
        problem = answers.decode(wire.PROBLEM, answer.body)
        if problem is not None and problem.code == _NOT_FOUND:
            return None
        raise answers.failure(answer)

    async def _get(self, account: TwilioAccount, path: str) -> answers.Answer:
        return await answers.get(
            self._session(), (account.content_url or account.base_url) + path, account.authorization
        )

    def _session(self) -> aiohttp.ClientSession:
        if self._opened is None:
            self._opened = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=8),
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": "overture", "Accept": "application/json"},
            )
        return self._opened


def _query(url: str) -> str:
    try:
        return urlsplit(url).query
    except ValueError:
        answers.unreadable()
