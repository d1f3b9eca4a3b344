"""What a place was set to before we came: remembered before it is changed, given back when we leave."""

from enum import StrEnum

from msgspec import Struct

from overture.domain.wiring import Change, Place, Setting


class Remembered(Struct, frozen=True, kw_only=True):
    """What a place was set to before we came, and what we set it to."""

    account_sid: str
    place: Place
    sid: str
    addresses: tuple[str, ...]
    before: Setting
    became: Setting


class Undoing(StrEnum):
    """What is to become of a place when we leave."""

    RESTORE = "restore"
    RESTORED = "restored"  # it is as it was already
    CHANGED = "changed"  # by somebody else: what they set is theirs
    GONE = "gone"


def remember(earlier: Remembered | None, change: Change, *, account_sid: str) -> Remembered:
    """What is to be remembered of a change, before it is made.

    What was there before we came the first time is kept as long as nobody else changed the place since: who connects
    twice, or after a move of the public address, must not be given our own address back.
    """
    untouched = earlier is not None and change.now in (earlier.became, earlier.before)
    return Remembered(
        account_sid=account_sid,
        place=change.place,
        sid=change.sid,
        addresses=change.addresses,
        before=earlier.before if earlier is not None and untouched else change.now,
        became=change.becomes,
    )


def undo(remembered: Remembered, now: Setting | None) -> Undoing:
    """What is to become of a place when we leave, by what it is set to now; None where it is no more."""
    if now is None:
        return Undoing.GONE
    if now == remembered.before:
        return Undoing.RESTORED
    return Undoing.RESTORE if now == remembered.became else Undoing.CHANGED
