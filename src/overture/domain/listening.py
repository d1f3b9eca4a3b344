"""How inbound messages are taken: what the operator set for all senders alike."""

from msgspec import Struct

from overture.domain.reply_time import QuietTimes


class Listening(Struct, frozen=True, kw_only=True):
    """How long to wait for more, which further words opt out on WhatsApp, whether voice notes are written down.

    `confirmation` is what answers an opt-out, in place of our own texts.
    """

    quiet: QuietTimes = QuietTimes()
    also_stop: tuple[str, ...] = ()
    transcribes: bool = False
    confirmation: str = ""
