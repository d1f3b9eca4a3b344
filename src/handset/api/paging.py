"""Paging as the REST API of 2010-04-01 writes it, for lists that stay as they are: relative addresses beside the rows.

A token goes with each next page, as Twilio's do: a walk follows the address, and never counts pages.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlencode

from starlette.requests import Request

from handset.api import meta

LARGEST_PAGE: Final = 1000


def page(request: Request, rows: Sequence[Mapping[str, Any]], *, key: str) -> Mapping[str, Any]:
    """The page of these rows that a request asks for."""
    number, size = meta.window(request, largest=LARGEST_PAGE)
    shown = rows[number * size : (number + 1) * size]
    kept = {k: v for k, v in request.query_params.items() if k not in {"Page", "PageSize", "PageToken"}}

    def uri(wanted: int) -> str:
        token = {} if wanted == 0 else {"PageToken": f"PA{rows[wanted * size - 1]['sid']}"}
        return f"{request.url.path}?{urlencode({**kept, 'PageSize': size, 'Page': wanted, **token})}"

    return {
        key: shown,
        "page": number,
        "page_size": size,
        "start": number * size,
        "end": number * size + max(len(shown) - 1, 0),
        "uri": f"{request.url.path}?{urlencode({**kept, 'PageSize': size, 'Page': number})}",
        "first_page_uri": uri(0),
        "next_page_uri": uri(number + 1) if (number + 1) * size < len(rows) else None,
        "previous_page_uri": uri(number - 1) if 0 < number <= len(rows) // size else None,
    }
