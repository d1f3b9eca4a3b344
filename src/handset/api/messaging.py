"""The Messaging Service resource and the senders in its pool, in the dialect of the messaging host.

ISO dates and absolute URLs, forms that set. Sources: Twilio's Service, PhoneNumber, ChannelSender and AlphaSender
resources, and, for the conversations that a number makes by itself, the Address Configuration resource.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from handset.api import door, meta, setting
from handset.api.numbers import sid_of
from handset.api.refusals import TwilioError
from handset.carrier.carrier import Carrier
from handset.config import Config, Service

LARGEST_PAGE: Final = 1000
CREATED: Final = "2026-01-01T00:00:00Z"
SETS: Final = {
    "InboundRequestUrl": ("inbound_url", setting.url),
    "InboundMethod": ("inbound_method", setting.method),
    "FallbackUrl": ("fallback_url", setting.url),
    "FallbackMethod": ("fallback_method", setting.method),
    "StatusCallback": ("status_url", setting.url),
    "UseInboundWebhookOnNumber": ("use_inbound_webhook_on_number", setting.yes_or_no),
}


class Services:
    """Messaging Services, as Twilio's messaging host shows and changes them."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier

    def routes(self) -> list[Route]:
        """The routes of v1."""
        one = "/v1/Services/{sid}"
        return [
            Route("/v1/Services", door.refusing(self.list_services), methods=["GET"]),
            Route(one, door.refusing(self.fetch), methods=["GET"]),
            Route(one, door.refusing(self.update), methods=["POST"]),
            Route(f"{one}/PhoneNumbers", door.refusing(self.list_numbers), methods=["GET"]),
            Route(f"{one}/ChannelSenders", door.refusing(self.list_channel_senders), methods=["GET"]),
            Route(f"{one}/AlphaSenders", door.refusing(self.list_alpha_senders), methods=["GET"]),
            Route("/v1/Configuration/Addresses", door.refusing(self.list_addresses), methods=["GET"]),
        ]

    async def list_services(self, request: Request) -> Response:
        """List the account's services."""
        account = door.authenticate(request, self._config)
        own = [service for service in self._config.services if self._config.account_of(service.account) == account]
        now = [self._carrier.find_service(service.sid) or service for service in own]
        base = meta.base_url(request)
        return _page(request, [_shape(service, account.sid, base) for service in now], key="services")

    async def fetch(self, request: Request) -> Response:
        """Fetch one."""
        service, account_sid = self._get(request)
        return JSONResponse(_shape(service, account_sid, meta.base_url(request)))

    async def update(self, request: Request) -> Response:
        """Say where what reaches the service's senders is reported."""
        service, _ = self._get(request)
        values = setting.read(await door.read_form(request), SETS)
        # the API's own default is no; what the configuration left open is settled with the first change
        values.setdefault("use_inbound_webhook_on_number", service.leaves_it_to_numbers)
        self._carrier.wiring.change(service.sid, values, at=self._carrier.clock.now())
        return await self.fetch(request)

    async def list_numbers(self, request: Request) -> Response:
        """List the numbers in a service's pool."""
        service, account_sid = self._get(request)
        rows = [
            {
                "sid": sid_of(address, prefix="PN"),
                "account_sid": account_sid,
                "service_sid": service.sid,
                "phone_number": address,
                "country_code": "US",
                "capabilities": ["SMS", "MMS"],
                **_dated(f"{meta.base_url(request)}/v1/Services/{service.sid}/PhoneNumbers", address, "PN"),
            }
            for address in service.numbers
            if address.startswith("+")
        ]
        return _page(request, rows, key="phone_numbers")

    async def list_channel_senders(self, request: Request) -> Response:
        """List the WhatsApp senders in a service's pool."""
        service, account_sid = self._get(request)
        rows = [
            {
                "sid": sid_of(address, prefix="XE"),
                "account_sid": account_sid,
                "messaging_service_sid": service.sid,
                "sender": address,
                "sender_type": "WhatsApp",
                "country_code": "US",
                **_dated(f"{meta.base_url(request)}/v1/Services/{service.sid}/ChannelSenders", address, "XE"),
            }
            for address in service.numbers
            if address.startswith("whatsapp:")
        ]
        return _page(request, rows, key="senders")

    async def list_alpha_senders(self, request: Request) -> Response:
        """List the names that a service sends under."""
        service, account_sid = self._get(request)
        rows = [
            {
                "sid": sid_of(name, prefix="AI"),
                "account_sid": account_sid,
                "service_sid": service.sid,
                "alpha_sender": name,
                "capabilities": ["SMS"],
                **_dated(f"{meta.base_url(request)}/v1/Services/{service.sid}/AlphaSenders", name, "AI"),
            }
            for name in service.alpha_senders
        ]
        return _page(request, rows, key="alpha_senders")

    async def list_addresses(self, request: Request) -> Response:
        """List the senders that make a conversation of what reaches them (on Twilio's conversations host)."""
        account = door.authenticate(request, self._config)
        rows = [
            {
                "sid": sid_of(number.address, prefix="IG"),
                "account_sid": account.sid,
                "type": "whatsapp" if number.address.startswith("whatsapp:") else "sms",
                "address": number.address,
                "friendly_name": number.address,
                "auto_creation": {"enabled": True, "type": "webhook"},
                **_dated(f"{meta.base_url(request)}/v1/Configuration/Addresses", number.address, "IG"),
            }
            for number in self._config.numbers
            if number.conversations and self._config.account_of(number.account) == account
        ]
        return _page(request, rows, key="address_configurations")

    def _get(self, request: Request) -> tuple[Service, str]:
        account = door.authenticate(request, self._config)
        service = self._carrier.find_service(request.path_params["sid"])
        if service is None or self._config.account_of(service.account) != account:
            raise TwilioError(20404, request.url.path)
        return service, account.sid


def _page(request: Request, rows: Sequence[Mapping[str, Any]], *, key: str) -> Response:
    page, size = meta.window(request, largest=LARGEST_PAGE)
    paging = meta.of(request, page=page, size=size, total=len(rows), key=key)
    return JSONResponse({key: rows[page * size : (page + 1) * size], "meta": paging})


def _dated(folder: str, name: str, prefix: str) -> Mapping[str, str]:
    return {"date_created": CREATED, "date_updated": CREATED, "url": f"{folder}/{sid_of(name, prefix=prefix)}"}


def _shape(service: Service, account_sid: str, base: str) -> Mapping[str, Any]:
    own = f"{base}/v1/Services/{service.sid}"
    return {
        "sid": service.sid,
        "account_sid": account_sid,
        "friendly_name": service.name,
        "inbound_request_url": service.inbound_url,
        "inbound_method": service.inbound_method,
        "fallback_url": service.fallback_url,
        "fallback_method": service.fallback_method,
        "status_callback": service.status_url,
        "use_inbound_webhook_on_number": service.leaves_it_to_numbers,
        "us_app_to_person_registered": service.us_registered,
        "usecase": "undeclared",
        "sticky_sender": True,
        "mms_converter": True,
        "smart_encoding": True,
        "scan_message_content": "inherit",
        "fallback_to_long_code": False,
        "area_code_geomatch": True,
        "synchronous_validation": False,
        "validity_period": 36_000,
        "date_created": CREATED,
        "date_updated": CREATED,
        "url": own,
        "links": {
            "phone_numbers": f"{own}/PhoneNumbers",
            "channel_senders": f"{own}/ChannelSenders",
            "alpha_senders": f"{own}/AlphaSenders",
        },
    }
