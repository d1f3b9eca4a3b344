"""Typing: while a turn runs, its contact on WhatsApp sees that an answer is being written.

A courtesy and no more: nobody waits for it, nothing depends on it, and where it fails nobody hears of it but the log.
"""

import asyncio
from typing import Final

from overture import log
from overture.actions.claim_turns import TurnClaim
from overture.domain.channel import Channel
from overture.domain.errors import Failure
from overture.domain.ports import Typist

_AT_ONCE: Final = 20  # requests; with more under way the courtesy would cost what answers need
_SECONDS: Final = 4.0  # later the answer is nearly there

_log: Final = log.get(__name__)


class Typing:
    """Shows it for turns as they are claimed."""

    def __init__(self, typist: Typist) -> None:
        self._typist: Final = typist
        self._running: Final[set[asyncio.Task[None]]] = set()

    def show(self, claim: TurnClaim) -> None:
        """Begin to show it to the contact of a turn that answers something they wrote on WhatsApp."""
        sid = claim.heard[-1].provider_sid if claim.heard else None
        if claim.conversation.channel is not Channel.WHATSAPP or sid is None or len(self._running) >= _AT_ONCE:
            return
        task = asyncio.get_running_loop().create_task(self._show(claim.account_sid, sid))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def settle(self) -> None:
        """Give up what is under way."""
        for task in set(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _show(self, account_sid: str, sid: str) -> None:
        try:
            async with asyncio.timeout(_SECONDS):
                await self._typist.show_typing(account_sid, sid)
        except (Failure, TimeoutError) as failure:
            _log.info("typing_not_shown", why=str(failure) or "It took too long.")
        except Exception:
            _log.exception("typing_broke")
