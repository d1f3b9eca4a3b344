"""How values of settings are read, from what the environment or the file has, or refused with what would do."""

import re
from collections.abc import Callable
from ipaddress import ip_network
from pathlib import Path
from typing import Any, Final

_SECRET_NAME: Final = re.compile(r"[A-Z][A-Z0-9_]{0,63}")
_HOST: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HEX_KEY: Final = re.compile(r"[0-9a-fA-F]{64}")
_BASE64_KEY: Final = re.compile(r"[A-Za-z0-9+/_-]{43}=?")


def listed(raw: Any) -> tuple[str, ...]:
    """Several values: a list of the file, or a text with commas."""
    values = raw if isinstance(raw, list) else str(raw).split(",")
    return tuple(text for value in values if (text := str(value).strip()))


def keys(raw: Any) -> tuple[str, ...]:
    """Keys as text, in their order; no message repeats any of it."""
    keys = listed(raw)
    if any(not (_HEX_KEY.fullmatch(key) or _BASE64_KEY.fullmatch(key)) for key in keys):
        raise ValueError("a key is 32 random bytes, as base64 or as 64 hexadecimal digits; commas between several.")
    return keys


def further_stop_words(raw: Any) -> tuple[str, ...]:
    """Words that opt out, in lower case."""
    words = tuple(word.lower() for word in listed(raw))
    if wrong := [word for word in words if len(word) > 64 or not any(char.isalnum() for char in word)]:
        raise ValueError(f"{wrong[0][:64]!r} is no word that somebody could write.")
    return words


def one_message(raw: Any) -> str:
    """A text that one message of any channel holds."""
    said = text(raw)
    if len(said) > 320 or "\x00" in said:
        raise ValueError("It must have at most 320 characters: it goes as one message.")
    return said


def secrets(raw: Any) -> dict[str, str]:
    """Secrets by their names; no message repeats any of them."""
    table = raw if isinstance(raw, dict) else {"": raw}
    for name, secret in table.items():
        if not _SECRET_NAME.fullmatch(str(name)):
            raise ValueError(f"{str(name)[:64]!r} is no name of a secret: capitals, digits and underscores.")
        if not isinstance(secret, str) or not secret or not secret.isprintable() or not secret.isascii():
            raise ValueError(f"{name} is no secret that a header can carry: plain characters on one line.")
    return dict(table)


def hosts_and_networks(raw: Any) -> tuple[str, ...]:
    """Hosts by their names or addresses, and networks in CIDR notation."""
    hosts = listed(raw)
    for host in hosts:
        try:
            ip_network(host)
        except ValueError:
            if not _HOST.fullmatch(host.lower()) or len(host) > 253:
                raise ValueError(f"{host[:100]!r} is no host and no network such as 10.0.0.0/8.") from None
    return hosts


def urls(raw: Any) -> tuple[str, ...]:
    """Several addresses."""
    return tuple(url(text).rstrip("/") for text in listed(raw))


def url(raw: Any) -> str:
    """An http or https address, without a slash at its end."""
    text = str(raw).strip().rstrip("/")
    if not re.fullmatch(r"https?://[^\s/#?@]+(?:/[^\s#?]*)?", text):
        shown = re.sub(r"//\S*@", "//", text)
        raise ValueError(f"{shown!r} is no http or https address without a user, a query or a fragment.")
    return text


def database_url(raw: Any) -> str:
    """The address of a database."""
    text = str(raw)
    if not text.startswith(("sqlite:///", "postgresql://", "postgres://")) or text == "sqlite:///":
        raise ValueError("a database is sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME.")
    return text


def text(raw: Any) -> str:
    """A text, as the file must write it."""
    if not isinstance(raw, str):
        raise TypeError(f"{raw!r} is no text: write it in quotes.")
    return raw


def file(raw: Any) -> Path:
    """A file's place, in full."""
    return Path(text(raw)).expanduser().absolute()


def on_or_off(raw: Any) -> bool:
    """On or off."""
    if raw not in ("on", "off", True, False):
        raise ValueError(f"{raw!r} is neither on nor off.")
    return raw in ("on", True)


def port(raw: Any) -> int:
    """A port, 0 for any."""
    text = "" if isinstance(raw, bool) else str(raw)
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and int(text) <= 65535):
        raise ValueError(f"{raw!r} is no port: 1 to 65535, or 0 for any that is free.")
    return int(text)


def some_seconds(raw: Any) -> float:
    """A tenth of a second at least, an hour at most."""
    some = seconds(raw)
    if some < 0.1:
        raise ValueError(f"{raw} seconds are too few: give a tenth at least.")
    return some


def seconds(raw: Any) -> float:
    """Seconds, an hour at most."""
    return seconds_up_to(3600, raw)


def seconds_of_a_week(raw: Any) -> float:
    """Seconds, a week at most."""
    return seconds_up_to(7 * 24 * 3600, raw)


def seconds_up_to(most: int, raw: Any) -> float:
    """Seconds, so many at most."""
    seconds = float(raw)
    if not 0 <= seconds <= most:
        raise ValueError(f"{raw} is not between 0 and {most} seconds.")
    return seconds


def one_of(*choices: str) -> Callable[[Any], Any]:
    """A reader of one of these words."""

    def parse(raw: Any) -> str:
        if raw not in choices:
            raise ValueError(f"{raw!r} is none of {', '.join(choices)}.")
        return str(raw)

    return parse
