"""What a form sets of a resource: Twilio's name of each parameter, and the configuration's."""

from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

from handset.api.door import Form
from handset.api.refusals import TwilioError

Value = str | bool | None
LONGEST_URL: Final = 4000  # characters


def read(form: Form, names: Mapping[str, tuple[str, Callable[[str, str], Value]]]) -> dict[str, Value]:
    """The values that a form sets, by the configuration's names; what has no name here is passed over."""
    return {names[given][0]: names[given][1](given, value) for given, value in form if given in names}


def url(_: str, value: str) -> Value:
    """An address, None where it is empty; raises 21502 for what is none."""
    if not value:
        return None
    try:
        fits = urlsplit(value).scheme in {"http", "https"} and bool(urlsplit(value).hostname)
    except ValueError:
        fits = False
    if not fits or len(value) > LONGEST_URL:
        raise TwilioError(21502, value[:80])
    return value


def method(name: str, value: str) -> Value:
    """GET or POST."""
    if value.upper() not in {"GET", "POST"}:
        raise TwilioError(20001, f"{name} must be GET or POST")
    return value.upper()


def application(name: str, value: str) -> Value:
    """An application's SID, None where it is empty."""
    if value and not (value.startswith("AP") and len(value) == 34):
        raise TwilioError(20001, f"{name} is no application")
    return value or None


def yes_or_no(name: str, value: str) -> Value:
    """true or false."""
    if value.lower() not in {"true", "false"}:
        raise TwilioError(20001, f"{name} must be true or false")
    return value.lower() == "true"
