"""The page's own forms: read, and refused when a foreign page sends one."""

from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request

FORM_LIMIT: Final = 65_536


async def read(request: Request) -> dict[str, str]:
    """A form of this page: a foreign page's is refused by its Origin."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise HTTPException(403, "this form belongs to another page")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise HTTPException(413, f"send at most {FORM_LIMIT} bytes")
    try:
        return dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100))
    except ValueError as error:
        raise HTTPException(400, str(error)) from error
