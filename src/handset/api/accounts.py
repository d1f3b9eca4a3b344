"""The Account resource: an account and its sub-accounts, each with a token of its own.

A parent's token opens its sub-accounts too; an API key opens accounts only where it is a main one, and never those of
sub-accounts. Source: Twilio's pages on sub-accounts, on API keys and on error 20003.
"""

from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import door, paging
from handset.api.refusals import TwilioError
from handset.api.shape import ROOT
from handset.config import Account, Config

CREATED: Final = "Thu, 01 Jan 2026 00:00:00 +0000"


class Accounts:
    """Accounts, as Twilio's REST API shows them."""

    def __init__(self, *, config: Config) -> None:
        self._config = config

    def routes(self) -> list[Route]:
        """The routes of 2010-04-01."""
        return [
            Route("/2010-04-01/Accounts.json", door.refusing(self.list_accounts), methods=["GET"]),
            Route("/2010-04-01/Accounts/{account_sid}.json", door.refusing(self.fetch), methods=["GET"]),
        ]

    async def list_accounts(self, request: Request) -> Response:
        """List the account and its sub-accounts."""
        own, key = door.identify(request, self._config)
        if key is not None and key.kind != "main":
            raise TwilioError(20003)
        wanted = {name: request.query_params.get(name) for name in ("FriendlyName", "Status")}
        rows = [
            account
            for account in self._config.accounts
            if own.sid in {account.sid, account.owner}
            and wanted["FriendlyName"] in {None, account.name}
            and wanted["Status"] in {None, account.status}
        ]
        return JSONResponse(paging.page(request, [_shape(row) for row in rows], key="accounts"))

    async def fetch(self, request: Request) -> Response:
        """Fetch one: the cheapest way to try credentials."""
        _, key = door.identify(request, self._config)
        if key is not None and key.kind != "main":
            raise TwilioError(20003)
        return JSONResponse(_shape(door.enter(request, self._config)))


def _shape(account: Account) -> Mapping[str, Any]:
    own = f"{ROOT}/{account.sid}"
    return {
        "sid": account.sid,
        "auth_token": account.auth_token,
        "friendly_name": account.name,
        "status": account.status,
        "type": account.type,
        "owner_account_sid": account.owner or account.sid,
        "date_created": CREATED,
        "date_updated": CREATED,
        "subresource_uris": {
            "messages": f"{own}/Messages.json",
            "incoming_phone_numbers": f"{own}/IncomingPhoneNumbers.json",
        },
        "uri": f"{own}.json",
    }
