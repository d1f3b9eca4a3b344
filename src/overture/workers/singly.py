"""Work that failed together is done one by one, so that what is poisonous is known by its own key and harms no other.

Each piece has a transaction of its own. What fails alone is put off by its key, with growing pauses, and parked for a
person when it has failed too often; which of several workers finds it does not matter.
"""

import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeVar

from overture import log
from overture.domain.errors import Unavailable

Key = TypeVar("Key")

_LONGEST_TOLD: Final = 2000  # the end of a traceback, where its error stands

_log: Final = log.get(__name__)


async def one_by_one(
    road: str,
    keys: Iterable[Key],
    *,
    do: Callable[[Key], Awaitable[None]],
    put_off: Callable[[Key, str], Awaitable[None]],
) -> None:
    """Do each alone; `put_off` is given the key of what failed, and the end of the traceback. Raises Unavailable."""
    for key in keys:
        try:
            await do(key)
        except Unavailable:
            raise
        except Exception as wrong:
            _log.exception("work_stumbles", road=road, key=str(key))
            await put_off(key, told(wrong))


def told(wrong: BaseException) -> str:
    """The end of an exception's traceback."""
    return "".join(traceback.format_exception(wrong))[-_LONGEST_TOLD:]
