"""Buttons and lists of Twilio: content that is created once, and then sent by its SID.

Inside WhatsApp's window content needs no approval. It is kept in memory by what it says: another process, or the next
start, creates it anew, which costs a request and leaves a second copy that nobody sees. Where it cannot be created the
message goes as numbered text, so nothing here ever raises. Source: Twilio's Content API.
"""

import asyncio
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp
import msgspec
from msgspec import Struct

from overture.adapters.twilio import answers
from overture.domain.choices import Picker, picker

MOST: Final = 2000  # contents remembered; each is a digest and a SID
RESTS_SECONDS: Final = 60.0  # after a failure: a Content API that is down must not hold up every message
_SID: Final = re.compile(r"HX[0-9a-f]{32}")
_MORE: Final = "Options"  # what opens a list: one word that many languages read


class Created(Struct, frozen=True):
    """The content that was created."""

    sid: str


_CREATED: Final = msgspec.json.Decoder(Created)


class Contents:
    """The contents of all accounts, by what they say."""

    def __init__(self) -> None:
        self._known: Final[OrderedDict[str, asyncio.Future[str | None]]] = OrderedDict()
        self._rests_until: Final[dict[str, float]] = {}

    async def find(
        self,
        account_sid: str,
        text: str,
        options: Sequence[str],
        post: Callable[[bytes], Awaitable[answers.Answer]],
    ) -> str | None:
        """The SID of the content that offers choices under a text; None where the text has to number them.

        `post` creates it. Whoever asks meanwhile waits for the same answer.
        """
        kind = picker(text, options)
        now = asyncio.get_running_loop().time()
        if kind is None or self._rests_until.get(account_sid, 0.0) > now:
            return None
        key = _key(account_sid, kind, text, options)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = asyncio.get_running_loop().create_future()
            sid = None
            try:
                sid = await _create(kind, key, text, options, post)
            finally:
                known.set_result(sid)
                if sid is None:
                    self._known.pop(key, None)
                    self._rests_until[account_sid] = now + RESTS_SECONDS
        else:
            self._known.move_to_end(key)
        while len(self._known) > MOST:
            self._known.popitem(last=False)
        return await known

    def forget(self, sid: str) -> None:
        """Create a content anew the next time: the provider no longer knows it."""
        for key in [key for key, known in self._known.items() if known.done() and known.result() == sid]:
            del self._known[key]


def _key(account_sid: str, kind: Picker, text: str, options: Sequence[str]) -> str:
    said = "\0".join((account_sid, kind, text, *options))
    return hashlib.sha256(said.encode("utf-8", "replace")).hexdigest()


async def _create(
    kind: Picker,
    key: str,
    text: str,
    options: Sequence[str],
    post: Callable[[bytes], Awaitable[answers.Answer]],
) -> str | None:
    form = {
        "friendly_name": f"overture_{key[:24]}",
        "language": "en",
        "types": {f"twilio/{kind}": _body(kind, text, [option.strip() for option in options])},
    }
    try:
        answer = await post(msgspec.json.encode(form))
    except (aiohttp.ClientError, TimeoutError, OSError, UnicodeError):
        return None
    created = answers.decode(_CREATED, answer.body) if answer.status in (200, 201) else None
    return created.sid if created is not None and _SID.fullmatch(created.sid) else None


def _body(kind: Picker, text: str, options: Sequence[str]) -> dict[str, Any]:
    """The content's own shape; what is tapped comes back as the id, which is the label."""
    if kind is Picker.QUICK_REPLY:
        return {"body": text, "actions": [{"type": "QUICK_REPLY", "title": option, "id": option} for option in options]}
    return {"body": text, "button": _MORE, "items": [{"item": option, "id": option} for option in options]}
