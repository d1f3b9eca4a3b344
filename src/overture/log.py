"""Logging: one line a step, as an event with fields. Secrets and phone numbers cannot pass.

Whatever reaches a line, from us or from a library, goes through the same filter last.
"""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Final

import structlog

_NUMBER: Final = re.compile(r"(?<![\w+-])\+?\d[\d\s().\-]{6,}\d(?![\w-])")
_SECRETS: Final = re.compile(
    r"ovt_[a-z]+_[A-Za-z0-9]+_[A-Za-z0-9]+|(?i:bearer|basic)\s+[A-Za-z0-9+/=_.\-]{8,}|sk-[A-Za-z0-9_\-]{8,}"
    r"|(?<=://)[^\s/@:]+:[^\s/@]+(?=@)"
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
    for chatty in ("asyncio", "aiohttp.access", "uvicorn.access"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def get(name: str) -> Any:
    """A logger: `log.info("event", field=value)`."""
    return structlog.stdlib.get_logger(name)


def redact(_logger: Any, _method: str, fields: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Replace secrets and numbers in every field of a line."""
    for name, value in fields.items():
        if name in _SECRET_FIELDS:
            fields[name] = "[hidden]"
        elif name not in _PLAIN_FIELDS and isinstance(value, str):
            fields[name] = clean(value)
        elif isinstance(value, BaseException | list | tuple | dict | set):
            fields[name] = clean(str(value))
    return fields


def clean(text: str) -> str:
    """A text without secrets, and with numbers shortened to their last two digits."""
    return _NUMBER.sub(_masked, _SECRETS.sub("[hidden]", text))


def _masked(match: re.Match[str]) -> str:
    digits = re.sub(r"\D", "", match[0])
    is_number = match[0].startswith("+") or 10 <= len(digits) <= 15
    return f"[number ..{digits[-2:]}]" if is_number else match[0]
