"""The Media subresource: what came with a message, and the store that gives out its bytes.

The resource asks for the account's credentials and redirects to the store, which asks for none: as Twilio's does, and
whoever follows with the credentials in hand gives them away. A medium that was not on this machine leads to its source.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from handset.api import door, meta, shape
from handset.api.refusals import TwilioError
from handset.carrier.carrier import Carrier
from handset.config import Config
from handset.state.nouns import FINAL, Medium, Message

STORE: Final = "/handset/store"
SID: Final = re.compile(r"ME[0-9a-fA-F]{32}")
SAFE: Final = re.compile(r"(image/(jpeg|png|gif|webp)|audio/[\w.+-]+|video/[\w.+-]+|text/vcard)")


class Media:
    """Media, as the REST API of 2010-04-01 shows them."""

    def __init__(self, *, config: Config, carrier: Carrier) -> None:
        self._config = config
        self._carrier = carrier
        self._store = carrier.store

    def routes(self) -> list[Route]:
        """The routes of 2010-04-01, and the store's."""
        media = "/2010-04-01/Accounts/{account_sid}/Messages/{message_sid}/Media"
        return [
            Route(f"{media}.json", door.refusing(self.list_media), methods=["GET"]),
            Route(f"{media}/{{sid}}.json", door.refusing(self.fetch), methods=["GET"]),
            Route(f"{media}/{{sid}}.json", door.refusing(self.delete), methods=["DELETE"]),
            Route(f"{media}/{{sid}}", door.refusing(self.delete), methods=["DELETE"]),
            Route(f"{media}/{{sid}}", door.refusing(self.redirect), methods=["GET"]),
            Route(f"{STORE}/{{key}}", self.serve, methods=["GET"]),
        ]

    async def list_media(self, request: Request) -> Response:
        """List a message's media."""
        message = self._message(request)
        page, size = meta.window(request, largest=1000)
        rows = self._store.media_of(message.sid)
        shown = rows[page * size : (page + 1) * size]
        own = f"{shape.ROOT}/{message.account_sid}/Messages/{message.sid}/Media.json"

        def uri(number: int) -> str:
            return f"{own}?PageSize={size}&Page={number}"

        paging = {
            "page": page,
            "page_size": size,
            "start": page * size,
            "end": page * size + max(len(shown) - 1, 0),
            "uri": uri(page),
            "first_page_uri": uri(0),
            "next_page_uri": uri(page + 1) if (page + 1) * size < len(rows) else None,
            "previous_page_uri": uri(page - 1) if page else None,
        }
        return JSONResponse({"media_list": [_shape(medium) for medium in shown], **paging})

    async def fetch(self, request: Request) -> Response:
        """Fetch what is known of one medium."""
        return JSONResponse(_shape(self._get(request)))

    async def delete(self, request: Request) -> Response:
        """Delete one medium of a message that is final."""
        medium = self._get(request)
        if self._message(request).status not in FINAL | {"sent"}:
            raise TwilioError(20009)
        self._store.remove_medium(medium.sid)
        return Response(status_code=204)

    async def redirect(self, request: Request) -> Response:
        """Tell where the bytes are."""
        medium = self._get(request)
        if medium.content is not None:
            return RedirectResponse(f"{meta.base_url(request)}{STORE}/{medium.key}", status_code=307)
        if medium.source is None or medium.waiting:
            raise TwilioError(20404, request.url.path)
        return RedirectResponse(medium.source, status_code=307)

    async def serve(self, request: Request) -> Response:
        """The bytes, to whoever knows their name. Nothing but pictures and sound opens in a browser."""
        medium = self._store.find_medium_by_key(request.path_params["key"])
        if medium is None or medium.content is None:
            return Response("no such medium", status_code=404, media_type="text/plain")
        shown = "inline" if SAFE.fullmatch(medium.content_type) else "attachment"
        headers = {
            "Content-Disposition": shown,
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=3600",
        }
        return Response(medium.content, headers=headers | {"Content-Type": medium.content_type})

    def _message(self, request: Request) -> Message:
        account = door.enter(request, self._config)
        message = self._store.find_message(request.path_params["message_sid"])
        if message is None or message.auto or message.account_sid != account.sid:
            raise TwilioError(20404, request.url.path)
        return message

    def _get(self, request: Request) -> Medium:
        message, sid = self._message(request), request.path_params["sid"]
        medium = self._store.find_medium(sid) if SID.fullmatch(sid) else None
        if medium is None or medium.message_sid != message.sid:
            raise TwilioError(20404, request.url.path)
        return medium


def _shape(medium: Medium) -> Mapping[str, Any]:
    own = f"{shape.ROOT}/{medium.account_sid}/Messages/{medium.message_sid}/Media/{medium.sid}.json"
    return {
        "sid": medium.sid,
        "account_sid": medium.account_sid,
        "parent_sid": medium.message_sid,
        "content_type": medium.content_type,
        "date_created": shape.date(medium.created_at),
        "date_updated": shape.date(medium.created_at),
        "uri": own,
    }
