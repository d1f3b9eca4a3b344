"""A round trip: the doctor calls our own public webhook as the provider would, signed with each account's token.

What it sends names no message. A form like that is refused with 400 after its signature was found good and before
anything is kept; with 403 where the signature is not. So the answer alone tells what the provider would meet: the
right server, under the right address, with the right token, and no row is left behind.
"""

from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlencode

import aiohttp
import msgspec

from overture.adapters.twilio import signature
from overture.cli import serving
from overture.cli.finding import Finding, good, note, wrong
from overture.domain.wiring import INBOUND
from overture.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=15, connect=5)  # as long as Twilio waits
_READ: Final = frozenset({"webhook_malformed", "webhook_ambiguous"})
_LONGEST: Final = 65_536


class _Detail(msgspec.Struct):
    code: str = ""


class _Told(msgspec.Struct):
    detail: _Detail


async def examine(settings: Settings) -> AsyncIterator[Finding]:
    """Call each public address once for each account that has a token."""
    signing = [account for account in settings.accounts if account.auth_tokens]
    if not settings.public_urls or not signing:
        return
    if not await serving.is_running(settings):
        yield note("The public address was not called: no server runs here.", "Start `overture serve`.")
        return
    async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
        for url in settings.public_urls:
            for account in signing:
                yield await _call(session, url.rstrip("/") + INBOUND, account.sid, account.auth_tokens[0])


async def _call(session: aiohttp.ClientSession, url: str, account_sid: str, token: str) -> Finding:
    fields = {"AccountSid": account_sid}
    headers = {
        "X-Twilio-Signature": signature.expected(token, url, fields.items()).decode(),
        "Content-Type": "application/x-www-form-urlencoded",
    }
    try:
        async with session.post(url, data=urlencode(fields), headers=headers, allow_redirects=False) as answer:
            return _read(url, account_sid, answer.status, await answer.content.read(_LONGEST))
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as away:
        hint = "Look at the name, the proxy and the firewall. Some networks reach it only from outside."
        return wrong(f"{url} does not answer from here ({type(away).__name__}).", hint)


def _read(url: str, account_sid: str, status: int, body: bytes) -> Finding:
    try:
        code = msgspec.json.decode(body, type=_Told).detail.code
    except (msgspec.MsgspecError, UnicodeDecodeError):
        code = ""
    if status == 400 and code in _READ:
        return good(f"{url} answers, and takes what is signed for account {account_sid}.")
    if status == 403 and code == "webhook_forged":
        return wrong(
            f"{url} refuses what is signed for account {account_sid}.",
            "The server there has another public address or another token: is it this one, started anew since?",
        )
    if 300 <= status < 400:
        return wrong(f"{url} redirects ({status}): Twilio would follow with a GET.", "Set the address it leads to.")
    if status == 503 and code:
        return wrong(f"{url} answers, but takes nothing now ({code}).", "The section on data says why.")
    return wrong(f"Something else answers at {url} ({status}).", "Let the proxy pass this path to Overture.")
