"""The Senders API: WhatsApp senders, and where what reaches them is reported. JSON in, JSON out.

The sandbox is none of them, and no API sets its address. Source: Twilio's Channels Senders resource (v2).
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import door, meta, setting
from handset.api.numbers import sid_of
from handset.api.refusals import TwilioError
from handset.carrier.carrier import Carrier
from handset.config import Account, Config, Number

LARGEST_PAGE: Final = 1000
SETS: Final = {
    "callback_url": ("inbound_url", setting.url),
    "callback_method": ("inbound_method", setting.method),
    "fallback_url": ("fallback_url", setting.url),
    "fallback_method": ("fallback_method", setting.method),
    "status_callback_url": ("status_url", setting.url),
    "status_callback_method": ("status_method", setting.method),
}


class _Asked(msgspec.Struct):
    webhook: dict[str, str | None] = msgspec.field(default_factory=dict)


class Senders:
    """WhatsApp senders, as Twilio's messaging host shows and changes them."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier
        self._addresses = {
            sid_of(number.address, prefix="XE"): number.address
            for number in config.numbers
            if number.address.startswith("whatsapp:") and number.join is None
        }

    def routes(self) -> list[Route]:
        """The routes of v2."""
        return [
            Route("/v2/Channels/Senders", door.refusing(self.list_senders), methods=["GET"]),
            Route("/v2/Channels/Senders/{sid}", door.refusing(self.fetch), methods=["GET"]),
            Route("/v2/Channels/Senders/{sid}", door.refusing(self.update), methods=["POST"]),
        ]

    async def list_senders(self, request: Request) -> Response:
        """List the account's WhatsApp senders."""
        account = door.authenticate(request, self._config)
        if request.query_params.get("Channel") != "whatsapp":
            raise TwilioError(20001, "Channel must be whatsapp")
        page, size = meta.window(request, largest=LARGEST_PAGE)
        own = [(sid, number) for sid, a in self._addresses.items() if (number := self._own(a, account)) is not None]
        base = meta.base_url(request)
        rows = [_shape(number, sid, base) for sid, number in own[page * size : (page + 1) * size]]
        return JSONResponse(
            {"senders": rows, "meta": meta.of(request, page=page, size=size, total=len(own), key="senders")}
        )

    async def fetch(self, request: Request) -> Response:
        """Fetch one."""
        return JSONResponse(_shape(self._get(request), request.path_params["sid"], meta.base_url(request)))

    async def update(self, request: Request) -> Response:
        """Say where what reaches a sender is reported."""
        number = self._get(request)
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise TwilioError(20415)
        try:
            asked = msgspec.json.decode(await request.body(), type=_Asked)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TwilioError(20001, str(error)) from error
        values = setting.read([(name, value or "") for name, value in asked.webhook.items()], SETS)
        self._carrier.wiring.change(number.address, values, at=self._carrier.clock.now())
        return JSONResponse(_shape(self._get(request), request.path_params["sid"], meta.base_url(request)), 202)

    def _own(self, address: str, account: Account) -> Number | None:
        number = self._carrier.find_number(address)
        return number if number is not None and self._config.account_of(number.account) == account else None

    def _get(self, request: Request) -> Number:
        account = door.authenticate(request, self._config)
        number = self._own(self._addresses.get(request.path_params["sid"], ""), account)
        if number is None:
            raise TwilioError(20404, request.url.path)
        return number


def _shape(number: Number, sid: str, base: str) -> Mapping[str, Any]:
    return {
        "sid": sid,
        "sender_id": number.address,
        "status": number.sender_status,
        "configuration": {"waba_id": "100000000000000", "verification_method": None, "verification_code": None},
        "webhook": {
            "callback_url": number.inbound_url,
            "callback_method": number.inbound_method,
            "fallback_url": number.fallback_url,
            "fallback_method": number.fallback_method,
            "status_callback_url": number.status_url,
            "status_callback_method": number.status_method,
        },
        "profile": {"name": number.address},
        "properties": {"quality_rating": "HIGH", "messaging_limit": "10K Customers/24hr"},
        "offline_reasons": None,
        "url": f"{base}/v2/Channels/Senders/{sid}",
    }
