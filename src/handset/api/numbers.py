"""The IncomingPhoneNumber resource: the account's numbers, and where what reaches them is reported.

WhatsApp senders and short codes are none. Source: Twilio's IncomingPhoneNumber resource.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import door, paging, setting
from handset.api.accounts import CREATED
from handset.api.refusals import TwilioError
from handset.api.shape import ROOT
from handset.carrier.carrier import Carrier
from handset.config import Account, Config, Number

SETS: Final = {
    "SmsUrl": ("inbound_url", setting.url),
    "SmsMethod": ("inbound_method", setting.method),
    "SmsFallbackUrl": ("fallback_url", setting.url),
    "SmsFallbackMethod": ("fallback_method", setting.method),
    "StatusCallback": ("status_url", setting.url),
    "StatusCallbackMethod": ("status_method", setting.method),
    "SmsApplicationSid": ("application_sid", setting.application),
}


def sid_of(address: str, *, prefix: str) -> str:
    """The SID that a sender of the configuration bears, the same in every run."""
    return f"{prefix}{hashlib.md5(address.encode(), usedforsecurity=False).hexdigest()}"


class Numbers:
    """Phone numbers, as Twilio's REST API shows and changes them."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier
        self._addresses = {
            sid_of(number.address, prefix="PN"): number.address
            for number in config.numbers
            if number.address.startswith("+")
        }

    def routes(self) -> list[Route]:
        """The routes of 2010-04-01."""
        numbers = "/2010-04-01/Accounts/{account_sid}/IncomingPhoneNumbers"
        return [
            Route(f"{numbers}.json", door.refusing(self.list_numbers), methods=["GET"]),
            Route(f"{numbers}/{{sid}}.json", door.refusing(self.fetch), methods=["GET"]),
            Route(f"{numbers}/{{sid}}.json", door.refusing(self.update), methods=["POST"]),
        ]

    async def list_numbers(self, request: Request) -> Response:
        """List the account's phone numbers."""
        account = door.enter(request, self._config)
        wanted = request.query_params.get("PhoneNumber", "")
        rows = [
            _shape(number, sid=sid, account_sid=account.sid)
            for sid, address in self._addresses.items()
            if wanted in address and (number := self._own(address, account)) is not None
        ]
        return JSONResponse(paging.page(request, rows, key="incoming_phone_numbers"))

    async def fetch(self, request: Request) -> Response:
        """Fetch one."""
        account = door.enter(request, self._config)
        return JSONResponse(
            _shape(self._get(request, account), sid=request.path_params["sid"], account_sid=account.sid)
        )

    async def update(self, request: Request) -> Response:
        """Say where what reaches a number is reported."""
        account = door.enter(request, self._config)
        number = self._get(request, account)
        values = setting.read(await door.read_form(request), SETS)
        self._carrier.wiring.change(number.address, values, at=self._carrier.clock.now())
        return await self.fetch(request)

    def _own(self, address: str, account: Account) -> Number | None:
        number = self._carrier.find_number(address)
        return number if number is not None and self._config.account_of(number.account) == account else None

    def _get(self, request: Request, account: Account) -> Number:
        number = self._own(self._addresses.get(request.path_params["sid"], ""), account)
        if number is None:
            raise TwilioError(20404, request.url.path)
        return number


def _shape(number: Number, *, sid: str, account_sid: str) -> Mapping[str, Any]:
    return {
        "sid": sid,
        "account_sid": account_sid,
        "api_version": "2010-04-01",
        "beta": False,
        "friendly_name": number.address,
        "phone_number": number.address,
        "capabilities": {"voice": False, "sms": number.sms, "mms": number.sms, "fax": False},
        "sms_application_sid": number.application_sid or "",
        "sms_method": number.inbound_method,
        "sms_url": number.inbound_url or "",
        "sms_fallback_method": number.fallback_method,
        "sms_fallback_url": number.fallback_url or "",
        "status_callback": number.status_url or "",
        "status_callback_method": number.status_method,
        "origin": "twilio",
        "status": "in-use",
        "date_created": CREATED,
        "date_updated": CREATED,
        "uri": f"{ROOT}/{account_sid}/IncomingPhoneNumbers/{sid}.json",
    }
