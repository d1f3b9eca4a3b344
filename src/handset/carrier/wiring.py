"""Where what reaches a sender is reported: as the configuration said, or as the REST API changed it since.

A Messaging Service's address goes before the number's own unless the service leaves it to the number; one that has
none and does not leave it drops what comes in. An application on the number takes it elsewhere. Sources: the
Messaging Service resource (`inbound_request_url`, `use_inbound_webhook_on_number`), the IncomingPhoneNumber resource
(`sms_application_sid`). What the API set takes effect with the next message.
"""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from handset.config import Config, Method, Number, Service
from handset.state.nouns import Wired
from handset.state.store import Store


@dataclass(frozen=True, kw_only=True)
class Way:
    """Where inbound messages of a sender go."""

    url: str
    method: Method
    fallback_url: str | None
    fallback_method: Method


class Wiring:
    """The senders and services as they are now."""

    def __init__(self, *, config: Config, store: Store) -> None:
        self._store = store
        self._numbers = {number.address: number for number in config.numbers}
        self._services = {service.sid: service for service in config.services}
        self._service_of = {
            address: service.sid for service in reversed(config.services) for address in service.numbers
        }

    def find_number(self, address: str) -> Number | None:
        """A sender, with what the API changed of it."""
        number, wired = self._numbers.get(address), self._store.find_wired(address)
        return number if number is None or wired is None else msgspec.structs.replace(number, **wired.values)

    def find_service(self, sid: str) -> Service | None:
        """A Messaging Service, with what the API changed of it."""
        service, wired = self._services.get(sid), self._store.find_wired(sid)
        return service if service is None or wired is None else msgspec.structs.replace(service, **wired.values)

    def find_service_of(self, address: str) -> Service | None:
        """The Messaging Service that a sender is in."""
        return self.find_service(self._service_of.get(address, ""))

    def change(self, resource: str, values: dict[str, str | bool | None], *, at: datetime) -> None:
        """Change a sender (by its address) or a service (by its SID)."""
        wired = self._store.find_wired(resource)
        earlier = {} if wired is None else wired.values
        self._store.put_wired(Wired(resource=resource, values={**earlier, **values}, at=at))

    def find_way(self, address: str) -> Way | None:
        """Where what reaches a sender is reported; None for nowhere."""
        number, service = self.find_number(address), self.find_service_of(address)
        if number is None or (number.application_sid and not address.startswith("whatsapp:")):
            return None
        place = number if service is None or service.leaves_it_to_numbers else service
        if not place.inbound_url:
            return None
        return Way(
            url=place.inbound_url,
            method=place.inbound_method,
            fallback_url=place.fallback_url or None,
            fallback_method=place.fallback_method,
        )
