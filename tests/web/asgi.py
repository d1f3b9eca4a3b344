"""A client that calls an ASGI application in this process, byte for byte as a server would."""

import base64
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlencode

import msgspec
from starlette.types import ASGIApp, Message


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return msgspec.json.decode(self.body)

    @property
    def detail(self) -> dict[str, Any]:
        """The error of the chat API."""
        detail: dict[str, Any] = self.json["detail"]
        return detail


class Client:
    """Calls an application with a key."""

    def __init__(self, app: ASGIApp, key: str | None = None, address: str = "192.0.2.1") -> None:
        self._app = app
        self._key = key
        self._address = address

    def with_key(self, key: str | None, address: str | None = None) -> "Client":
        """The same application for another caller."""
        return Client(self._app, key, address or self._address)

    async def post(self, path: str, json: Any = None, **more: Any) -> Reply:
        """POST a value as JSON."""
        return await self.call("POST", path, body=msgspec.json.encode(json), **more)

    async def put(self, path: str, json: Any = None, **more: Any) -> Reply:
        """PUT a value as JSON."""
        return await self.call("PUT", path, body=msgspec.json.encode(json), **more)

    async def get(self, path: str, **more: Any) -> Reply:
        """GET."""
        return await self.call("GET", path, **more)

    async def delete(self, path: str, **more: Any) -> Reply:
        """DELETE."""
        return await self.call("DELETE", path, **more)

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        chunks: Sequence[bytes] | None = None,
    ) -> Reply:
        """One request; `chunks` sends the body in pieces, without telling its length."""
        pieces = [body] if chunks is None else list(chunks)
        bare, _, query = path.partition("?")
        sent = {"host": "whatever.example", **(headers or {})}
        if self._key is not None and "authorization" not in {name.lower() for name in sent}:
            sent["authorization"] = f"Bearer {self._key}"
        if chunks is None:
            sent["content-length"] = str(len(body))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": unquote(bare),
            "raw_path": bare.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in sent.items()],
            "client": (self._address, 50000),
            "server": ("127.0.0.1", 80),
        }
        left = list(pieces)
        got: list[Message] = []

        async def receive() -> Message:
            piece = left.pop(0)
            return {"type": "http.request", "body": piece, "more_body": bool(left)}

        async def send(message: Message) -> None:
            got.append(message)

        await self._app(scope, receive, send)
        return Reply(
            status=got[0]["status"],
            headers={name.decode(): value.decode() for name, value in got[0]["headers"]},
            body=b"".join(message.get("body", b"") for message in got[1:]),
        )


def signed_form(url: str, token: str, fields: Mapping[str, str]) -> tuple[bytes, str]:
    """A form and its X-Twilio-Signature, as the provider's documentation makes it."""
    text = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(token.encode(), text.encode(), "sha1")).decode()
    return urlencode(fields).encode(), signature
