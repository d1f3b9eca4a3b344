"""Logging: one line a step, as an event with fields. Secrets and phone numbers cannot pass.

Whatever reaches a line, from us or from a library, goes through the same filter last.
"""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from datetime import date, timedelta
from pathlib import PurePath
from typing import Any, Final

import structlog

_NUMBER: Final = re.compile(
    r"(?P<sure>\+\d[\d\s().\-]{6,}\d|(?<=%2[Bb])\d{8,})"
    r"|(?<![A-Za-z0-9+-])(?!\d{4}-\d\d-\d\d(?!\d)|\d{1,3}(?:\.\d{1,3}){3}(?![\d.]))"  # neither a date nor an address
    r"\d[\d\s().\-]{6,}\d(?![A-Za-z0-9-])"
)
_SECRETS: Final = re.compile(
    r"ovt_[a-z]+_[A-Za-z0-9]+_[A-Za-z0-9]+|(?i:bearer|basic)\s+[A-Za-z0-9+/=_.\-]{8,}|sk-[A-Za-z0-9_\-]{8,}"
    r"|(?<=://)[^\s/@:]*:[^\s\"'<>]+(?=@)"
)
_SECRET_FIELDS: Final = frozenset(
    {"auth_token", "api_key", "api_key_secret", "secret", "password", "authorization", "body", "text"}
)
_PLAIN_FIELDS: Final = frozenset({"timestamp", "event_at"})


def configure(level: str, style: str) -> None:
    """Send every log line of the process, ours and the libraries', to standard error."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, redact, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for chatty in ("asyncio", "aiohttp.access", "uvicorn.access", "httpx"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger: `log.info("event", field=value)`."""
    return structlog.stdlib.get_logger(name)


def redact(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets and numbers in every field of a line."""
    for name, value in fields.items():
        if not name.startswith("_") and name not in _PLAIN_FIELDS:  # structlog keeps its own things under underscores
            fields[name] = _cleaned(name, value)
    return fields


def _cleaned(name: str, value: Any) -> Any:
    """A field's value as it may be shown; of an object of ours, whose parts nobody vouches for, the name alone."""
    if name.lower() in _SECRET_FIELDS:
        return "[hidden]"
    match value:
        case None | bool() | float():
            return value
        case int():
            cleaned = clean(str(value))
            return value if cleaned == str(value) else cleaned
        case bytes():
            return clean(value.decode("latin-1"))
        case str() | BaseException() | PurePath() | date() | timedelta():
            return clean(str(value))
        case Mapping():
            return {str(key): _cleaned(str(key), one) for key, one in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cleaned(name, one) for one in value]
        case _:
            return f"<{type(value).__name__}>"


def clean(text: str) -> str:
    """A text without secrets, and with numbers shortened to their last two digits."""
    return _NUMBER.sub(_masked, _SECRETS.sub("[hidden]", text))


def _masked(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    is_number = match["sure"] is not None or 10 <= len(digits) <= 15
    return f"[number ..{digits[-2:]}]" if is_number else match[0]
