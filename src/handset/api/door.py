"""Who may come in, and what they bring: HTTP Basic, and form bodies."""

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from handset.api.refusals import TwilioError
from handset.config import Account, ApiKey, Config

FORM_LIMIT: Final = 1_048_576  # bytes; the longest sensible form is a few kilobytes
Form = list[tuple[str, str]]
T = TypeVar("T")


def authenticate(request: Request, config: Config) -> Account:
    """The account whose SID and token, or API key and secret, the request carries; else 401 / 20003."""
    return identify(request, config)[0]


def identify(request: Request, config: Config) -> tuple[Account, ApiKey | None]:
    """The account, and the API key where it was not its token; 403 / 20403 where the key may not do that."""
    kind, _, encoded = request.headers.get("authorization", "").partition(" ")
    try:
        user, colon, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise TwilioError(20003) from None
    if kind.lower() != "basic" or not colon:
        raise TwilioError(20003)
    for account in config.accounts:
        if user == account.sid and hmac.compare_digest(secret.encode(), account.auth_token.encode()):
            return account, None
        for key in account.api_keys:
            if user == key.sid and hmac.compare_digest(secret.encode(), key.secret.encode()):
                if key.kind == "restricted" and request.method != "GET":
                    raise TwilioError(20403)
                return account, key
    raise TwilioError(20003)


def enter(request: Request, config: Config) -> Account:
    """The account of the path, if the credentials are its own, or its owner's token."""
    account, key = identify(request, config)
    asked = request.path_params["account_sid"]
    if asked == account.sid:
        return account
    owned = next((sub for sub in config.accounts if sub.sid == asked and sub.owner == account.sid), None)
    if owned is None or key is not None:
        raise TwilioError(20003)
    return owned


async def read_form(request: Request) -> Form:
    """The names and values of a form body, in order; 415 for other kinds, 413 for one too large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in {"", "application/x-www-form-urlencoded"}:
        raise TwilioError(20415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise TwilioError(20413)
    try:
        return parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1000)
    except ValueError as error:
        raise TwilioError(20001, str(error)) from error


async def read_json(request: Request, kind: type[T]) -> T:
    """A JSON body, as that kind, as the newer APIs take it; 415 for other kinds, 413 for one too large."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise TwilioError(20415)
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_LIMIT:
            raise TwilioError(20413)
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise TwilioError(20001, str(error)) from error


Endpoint = Callable[[Request], Awaitable[Response]]


def refusing(endpoint: Endpoint) -> Endpoint:
    """The endpoint, with what it refuses answered in Twilio's form."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except TwilioError as refused:
            return refused.response()

    return answer
