"""What makes a send acceptable, in the order in which it is looked at.

Twilio does not document the order; this one is inferred, and each check has its code from Twilio's error pages. The
magic numbers are those of Twilio's test credentials, and work with any.
"""

import ipaddress
import re
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

import msgspec

from handset.api.door import Form
from handset.api.refusals import TwilioError
from handset.carrier import encoding, templates
from handset.carrier.carrier import Carrier
from handset.carrier.draft import Draft
from handset.config import Account, Config
from handset.template import Template

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")
WHATSAPP: Final = re.compile(r"whatsapp:(\+[1-9][0-9]{6,14}|[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128})")
SHORT_CODE: Final = re.compile(r"[0-9]{3,8}")
ALPHANUMERIC: Final = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 +\-_&]{1,11}")
BODY_LIMIT: Final = 1600  # characters
MEDIA_LIMIT: Final = 10
SOONEST, LATEST = timedelta(seconds=300), timedelta(days=35)

MAGIC_FROM: Final = {"+15005550001": 21212, "+15005550007": 21606, "+15005550008": 21611}
MAGIC_TO: Final = {
    "+15005550001": 21211,
    "+15005550002": 21612,
    "+15005550003": 21408,
    "+15005550004": 21610,
    "+15005550009": 21614,
}
MAGIC_FROM_FINE: Final = "+15005550006"


class Given:
    """A form, asked by name. Twilio's names are matched exactly; of a repeated one the last counts."""

    def __init__(self, form: Form) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in form:
            self._values.setdefault(name, []).append(value)

    def one(self, name: str) -> str | None:
        """The value; None where absent or empty."""
        return self._values.get(name, [""])[-1] or None

    def all(self, name: str) -> tuple[str, ...]:
        """Every value that is not empty."""
        return tuple(value for value in self._values.get(name, []) if value)


def draft(form: Form, *, account: Account, carrier: Carrier, config: Config) -> Draft:
    """The message that this form asks for; raises TwilioError with the first thing that is wrong."""
    given = Given(form)
    to, sender, service_sid = given.one("To"), given.one("From"), given.one("MessagingServiceSid")
    body, media, content_sid = given.one("Body"), given.all("MediaUrl"), given.one("ContentSid")
    if to is None:
        raise TwilioError(21604)
    if sender is None and service_sid is None:
        raise TwilioError(21603)
    if body is None and not media and content_sid is None:
        raise TwilioError(21602)
    _check_to(to)
    if sender is not None:
        _check_from(sender, to, account=account, carrier=carrier, config=config)
    if service_sid is not None:
        _check_service(service_sid, sender, to, account=account, carrier=carrier, config=config)
    if body is not None and len(body) > BODY_LIMIT:
        raise TwilioError(21617)
    _check_media(media)
    template, variables = _read_content(given, account=account, carrier=carrier, config=config)
    callback = given.one("StatusCallback")
    if callback is not None and not is_callback(callback, strict=config.strict_callbacks):
        raise TwilioError(21609, callback)
    send_at = _read_schedule(given, now=carrier.clock.now())
    _check_blocked(sender, to, carrier=carrier)
    if sender is not None and service_sid is None and carrier.is_full(sender):
        raise TwilioError(21611, sender)
    whatsapp = to.startswith("whatsapp:")
    shown = templates.render(template, variables, whatsapp=whatsapp) if template else None
    if shown:
        _check_media(shown.media_urls)
    text = shown.body if shown else body or ""
    if not whatsapp and (given.one("SmartEncoded") == "true" or carrier.is_smart(service_sid)):
        text = encoding.smart(text)
    return Draft(
        account_sid=account.sid,
        to_address=to,
        from_address=sender,
        body=text,
        media_urls=shown.media_urls if shown else media,
        rich=shown.rich if shown else None,
        service_sid=service_sid,
        content_sid=template.sid if template else None,
        content_variables=variables,
        status_callback=callback,
        send_at=send_at,
        validity_seconds=_read_validity(given),
    )


def _check_to(to: str) -> None:
    if SHORT_CODE.fullmatch(to):
        raise TwilioError(21265, to)
    if not E164.fullmatch(to) and not WHATSAPP.fullmatch(to):
        raise TwilioError(21211, to)
    if code := MAGIC_TO.get(to):
        raise TwilioError(code, to)


def _check_from(sender: str, to: str, *, account: Account, carrier: Carrier, config: Config) -> None:
    if not any(form.fullmatch(sender) for form in (E164, WHATSAPP, SHORT_CODE, ALPHANUMERIC)):
        raise TwilioError(21212, sender)
    if code := MAGIC_FROM.get(sender):
        raise TwilioError(code, sender)
    whatsapp = sender.startswith("whatsapp:")
    if account.test and sender != MAGIC_FROM_FINE:
        raise TwilioError(21606, sender)
    number = carrier.find_number(sender)
    owned = number is not None and config.account_of(number.account).sid == account.sid
    if not owned and sender != MAGIC_FROM_FINE:
        raise TwilioError(63007 if whatsapp else 21659, sender)
    if whatsapp != to.startswith("whatsapp:"):
        raise TwilioError(21910, f"{sender} and {to}")
    if sender == to:
        raise TwilioError(63031 if whatsapp else 21266, to)


def _check_service(
    sid: str, sender: str | None, to: str, *, account: Account, carrier: Carrier, config: Config
) -> None:
    if account.test:
        raise TwilioError(20008)
    service = carrier.find_service(sid)
    if service is None or config.account_of(service.account).sid != account.sid:
        raise TwilioError(21705, sid)
    if sender is not None and sender not in service.numbers:
        raise TwilioError(21711, sender)
    if not any(address.startswith("whatsapp:") == to.startswith("whatsapp:") for address in service.numbers):
        raise TwilioError(21703, sid)


def _check_media(media: tuple[str, ...]) -> None:
    if len(media) > MEDIA_LIMIT:
        raise TwilioError(21623)
    for url in media:
        try:
            fits = urlsplit(url).scheme in {"http", "https"} and bool(urlsplit(url).hostname)
        except ValueError:
            fits = False
        if not fits:
            raise TwilioError(21620, url)


def _read_content(
    given: Given, *, account: Account, carrier: Carrier, config: Config
) -> tuple[Template | None, dict[str, str] | None]:
    sid, text = given.one("ContentSid"), given.one("ContentVariables")
    variables: dict[str, str] | None = None
    if text is not None:
        try:
            variables = msgspec.json.decode(text, type=dict[str, str])
        except (msgspec.DecodeError, UnicodeEncodeError):
            raise TwilioError(21656) from None
    if sid is None:
        return None, None
    template = carrier.find_template(sid)
    if template is None or config.account_of(template.account).sid != account.sid:
        raise TwilioError(21655, sid)
    return template, variables


def is_callback(url: str, *, strict: bool) -> bool:
    """Whether Twilio would call this URL. Loopback and private hosts are let through unless `strict`."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    if parts.scheme not in {"http", "https"} or not host or "_" in host or re.search(r"\s", url):
        return False
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        labels = host.removesuffix(".").split(".")
        named = all(re.fullmatch(r"(?!-)[^\s/?#@]{1,63}(?<!-)", label) for label in labels)
        return named and not (strict and (len(labels) == 1 or labels[-1] == "localhost"))
    return not strict or address.is_global


def _read_schedule(given: Given, *, now: datetime) -> datetime | None:
    kind, text = given.one("ScheduleType"), given.one("SendAt")
    if kind is None and text is None:
        return None
    if kind is None:
        raise TwilioError(35117)
    if kind != "fixed":
        raise TwilioError(35115)
    if given.one("MessagingServiceSid") is None:
        raise TwilioError(35118)
    if text is None:
        raise TwilioError(35111)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise TwilioError(35114) from None
    instant = instant if instant.tzinfo else instant.replace(tzinfo=UTC)
    if not SOONEST < instant - now <= LATEST:
        raise TwilioError(35114)
    return instant


def _read_validity(given: Given) -> int:
    text = given.one("ValidityPeriod")
    if text is None:
        return 36_000
    if not (text.isascii() and text.isdecimal() and len(text) <= 5 and 1 <= int(text) <= 36_000):
        raise TwilioError(20001, "ValidityPeriod must be between 1 and 36000")
    return int(text)


def _check_blocked(sender: str | None, to: str, *, carrier: Carrier) -> None:
    # through a Messaging Service the sender is chosen later, and so is the block found later
    if sender is not None and carrier.is_blocked(sender=sender, phone=to):
        raise TwilioError(21610)
