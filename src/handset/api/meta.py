"""Paging as Twilio's newer APIs write it: absolute URLs under `meta`, beside the rows."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

DEFAULT_SIZE = 50


def base_url(request: Request) -> str:
    """The address at which this request found us."""
    return f"{request.url.scheme}://{request.url.netloc}"


def window(request: Request, *, largest: int) -> tuple[int, int]:
    """The page and its size that are asked for; nonsense is the default, as there."""
    size = _whole(request, "PageSize", default=DEFAULT_SIZE)
    return _whole(request, "Page", default=0), max(1, min(size, largest))


def of(request: Request, *, page: int, size: int, total: int, key: str) -> Mapping[str, Any]:
    """The `meta` of one page of so many rows."""

    def url(number: int) -> str:
        kept = {name: value for name, value in request.query_params.items() if name not in {"PageSize", "Page"}}
        own = request.url.replace(query="").include_query_params(**kept, PageSize=size, Page=number)
        return str(own)

    return {
        "page": page,
        "page_size": size,
        "first_page_url": url(0),
        "previous_page_url": url(page - 1) if page > 0 else None,
        "url": url(page),
        "next_page_url": url(page + 1) if (page + 1) * size < total else None,
        "key": key,
    }


def _whole(request: Request, name: str, *, default: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 9 else default
