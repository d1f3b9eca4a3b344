"""Wiring: where the provider sends what contacts write, and what it takes that it comes to us.

A number, a Messaging Service and a WhatsApp sender each have such an address. A service's goes before those of its
senders unless it leaves it to them; an application on a number takes its messages elsewhere. Sources: Twilio's
IncomingPhoneNumber, Messaging Service and Channels Senders resources. Nothing is read or changed here: facts become a
plan, in sentences for whoever is to agree to it.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Final

from msgspec import Struct

from overture.domain.channel import WHATSAPP_PREFIX
from overture.domain.sender import SenderKind, kind_of

INBOUND: Final = "/webhooks/twilio/inbound"
FRAGMENT: Final = "#rc=3&rp=ct,rt,5xx"
"""Asks Twilio to try three times after a failed connection, a late answer, a 5xx: by itself it loses such a message."""

SANDBOX: Final = "whatsapp:+14155238886"


class Place(StrEnum):
    """What holds an inbound address."""

    NUMBER = "number"
    SERVICE = "service"
    WHATSAPP = "whatsapp"


class Setting(Struct, frozen=True, kw_only=True):
    """Where a place sends what comes in. An application is a number's alone, and goes before the address."""

    url: str = ""
    method: str = "POST"
    application_sid: str = ""


class OwnedNumber(Struct, frozen=True, kw_only=True):
    """A phone number of the account."""

    sid: str
    address: str
    setting: Setting = Setting()
    can_sms: bool = True


class WhatsAppSender(Struct, frozen=True, kw_only=True):
    """A WhatsApp sender of the account, its address in the provider's form."""

    sid: str
    address: str
    setting: Setting = Setting()
    status: str = "ONLINE"


class Service(Struct, frozen=True, kw_only=True):
    """A Messaging Service with what is in its pool, in the provider's form. `names` are its alphanumeric senders."""

    sid: str
    name: str = ""
    setting: Setting = Setting()
    leaves_it_to_numbers: bool = False
    us_registered: bool = False
    senders: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


class Facts(Struct, frozen=True, kw_only=True):
    """What the provider tells of an account. `converse` are senders whose messages Conversations takes up."""

    account_sid: str
    account_status: str = "active"
    account_type: str = "Full"
    numbers: tuple[OwnedNumber, ...] = ()
    whatsapp: tuple[WhatsAppSender, ...] = ()
    services: tuple[Service, ...] = ()
    converse: frozenset[str] = frozenset()


class Change(Struct, frozen=True, kw_only=True):
    """One place, what it is set to, and what it would be set to; `addresses` are the senders that follow it."""

    place: Place
    sid: str
    addresses: tuple[str, ...]
    now: Setting
    becomes: Setting
    name: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def is_needed(self) -> bool:
        """Whether anything is to be set."""
        return self.now != self.becomes


class Plan(Struct, frozen=True, kw_only=True):
    """What connecting would do. `skipped` are senders that cannot be connected, each with why."""

    changes: tuple[Change, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    warnings: tuple[str, ...] = ()


def webhook_url(public_url: str) -> str:
    """The address that a place is to have."""
    return public_url.rstrip("/") + INBOUND + FRAGMENT


def leads_to(url: str, public_urls: Iterable[str]) -> bool:
    """Whether an address is our inbound webhook under one of our public addresses; the fragment aside."""
    return url.partition("#")[0] in {base.rstrip("/") + INBOUND for base in public_urls}


def make_plan(facts: Facts, *, public_url: str, only: str | None = None, asked: Sequence[str] = ()) -> Plan:
    """What connecting the account would do; `only` one sender, where given. `asked` are senders that shall be there."""
    service_of = {address: service for service in facts.services for address in service.senders}
    target = Setting(url=webhook_url(public_url))
    changes: dict[str, Change] = {}
    skipped: list[tuple[str, str]] = []
    places: list[tuple[str, Place, OwnedNumber | WhatsAppSender]] = [
        *((number.address, Place.NUMBER, number) for number in facts.numbers),
        *((sender.address, Place.WHATSAPP, sender) for sender in facts.whatsapp),
    ]
    for address, place, sender in places:
        if only is not None and address != only:
            continue
        if isinstance(sender, OwnedNumber) and not sender.can_sms:
            skipped.append((address, "it cannot send or receive SMS"))
            continue
        service = service_of.get(address)
        warnings = tuple(_warnings_of(sender, service, facts))
        if service is None or service.leaves_it_to_numbers:
            change = _change_of(sender, place, target, warnings)
        else:
            change = _join(changes.get(service.sid), service, sender, target, warnings)
        changes[change.sid] = change
    known = {address for address, _, _ in places}
    wanted = [only] if only is not None else list(asked)
    skipped += [(address, _why_absent(address)) for address in wanted if address not in known]
    return Plan(changes=tuple(changes.values()), skipped=tuple(skipped), warnings=tuple(_of_account(facts, only=only)))


def find_drift(plan: Plan, public_urls: Sequence[str]) -> Mapping[str, str]:
    """Senders that do not lead to us as they should, each with how, as the end of a sentence."""
    return {
        address: how
        for change in plan.changes
        for address in change.addresses
        if (how := _drift(change, public_urls)) is not None
    }


def find_concerns(facts: Facts) -> Mapping[str, tuple[str, ...]]:
    """What is wrong or doubtful about senders wherever their messages go, each as the end of a sentence."""
    service_of = {address: service for service in facts.services for address in service.senders}
    senders: tuple[OwnedNumber | WhatsAppSender, ...] = (*facts.numbers, *facts.whatsapp)
    return {one.address: tuple(_concerns_of(one, service_of.get(one.address), facts)) for one in senders}


def _drift(change: Change, public_urls: Sequence[str]) -> str | None:
    by = f", by Messaging Service {change.name or change.sid}" if change.place is Place.SERVICE else ""
    now = change.now
    if now.application_sid:
        return f"its messages go to application {now.application_sid}"
    if not leads_to(now.url, public_urls):
        return f"its messages go to {now.url or 'nowhere'}{by}"
    if now.method.upper() != "POST":
        return f"its webhook is called with {now.method}{by}, which is refused"
    if now.url.partition("#")[2] != FRAGMENT[1:]:
        return f"its webhook has lost what follows the #{by}, so what comes during a restart may be lost"
    return None


def _change_of(
    sender: OwnedNumber | WhatsAppSender, place: Place, target: Setting, warnings: tuple[str, ...]
) -> Change:
    return Change(
        place=place,
        sid=sender.sid,
        addresses=(sender.address,),
        now=sender.setting,
        becomes=target,
        warnings=warnings + tuple(_about_now(sender.setting, target)),
    )


def _join(
    so_far: Change | None,
    service: Service,
    sender: OwnedNumber | WhatsAppSender,
    target: Setting,
    warnings: tuple[str, ...],
) -> Change:
    """The service's change, with one more sender that follows it."""
    if so_far is None:
        own = [*_of_service(service), *_about_now(service.setting, target)]
        so_far = Change(
            place=Place.SERVICE,
            sid=service.sid,
            addresses=(),
            now=service.setting,
            becomes=target,
            name=service.name,
            warnings=tuple(own),
        )
    return Change(
        place=so_far.place,
        sid=so_far.sid,
        addresses=(*so_far.addresses, sender.address),
        now=so_far.now,
        becomes=so_far.becomes,
        name=so_far.name,
        warnings=so_far.warnings + tuple(w for w in warnings if w not in so_far.warnings),
    )


def _about_now(now: Setting, target: Setting) -> Iterable[str]:
    if now.application_sid:
        yield f"application {now.application_sid} takes its messages; it is taken off"
    if now.url and now.url.partition("#")[0] != target.url.partition("#")[0]:
        yield f"its messages go to {now.url} today; whoever listens there hears nothing more"
    if now.url and now.method.upper() != "POST":
        yield f"its webhook is called with {now.method}; it becomes POST"


def _of_service(service: Service) -> Iterable[str]:
    shown = service.name or service.sid
    count = len(service.senders)
    others = f"all {count} senders in it follow" if count > 1 else "its one sender follows"
    yield f"Messaging Service {shown} decides for its senders, whatever they say: its address is set, and {others}"
    if service.names:
        yield f"it also sends as {', '.join(service.names[:3])}: nobody can answer a name"


def _warnings_of(sender: OwnedNumber | WhatsAppSender, service: Service | None, facts: Facts) -> Iterable[str]:
    if service is not None and service.leaves_it_to_numbers:
        yield f"it is in Messaging Service {service.name or service.sid}, which leaves its messages to the number"
        if service.names:
            yield f"the service also sends as {', '.join(service.names[:3])}: nobody can answer a name"
    yield from _concerns_of(sender, service, facts)


def _concerns_of(sender: OwnedNumber | WhatsAppSender, service: Service | None, facts: Facts) -> Iterable[str]:
    address = sender.address
    if address in facts.converse:
        yield f"{address}: Conversations takes its messages up as well, and both may answer; switch autocreation off"
    if isinstance(sender, WhatsAppSender):
        if not sender.status.startswith("ONLINE"):
            yield f"{address} is {sender.status.lower().replace('_', ' ')} at WhatsApp, so it can neither send nor hear"
    elif address.startswith("+1") and kind_of(address) is SenderKind.LONG_CODE:
        if service is None:
            yield f"{address} is in no Messaging Service registered for 10DLC: US carriers refuse it (30034)"
        elif not service.us_registered:
            shown = service.name or service.sid
            yield f"Messaging Service {shown} is not registered for 10DLC: US carriers refuse it (30034)"


def _why_absent(address: str) -> str:
    if address == SANDBOX:
        return "it is WhatsApp's sandbox, whose address is set in Twilio's console alone: Messaging, Try it out"
    if kind_of(address) is SenderKind.SHORT_CODE:
        return "short codes are not listed among the numbers: set its address in Twilio's console"
    kind = "WhatsApp senders" if address.startswith(WHATSAPP_PREFIX) else "numbers"
    return f"it is none of the account's {kind}"


def _of_account(facts: Facts, *, only: str | None) -> Iterable[str]:
    if facts.account_status != "active":
        yield f"The account is {facts.account_status}: nothing is sent or heard until that ends."
    if facts.account_type == "Trial":
        yield "The account is a trial: it writes only to numbers verified in Twilio's console."
    if not facts.numbers and not facts.whatsapp and only is None:
        yield "The account has neither a number nor a WhatsApp sender."
