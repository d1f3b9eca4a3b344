"""How much a test tries: little in the everyday suite, everything with OVERTURE_TEST_SIZE=full.

`make property` and `make faults` set it; the figures of docs/promises.md say which size reached them.
"""

import os
from typing import Final, TypeVar

T = TypeVar("T")

FULL: Final = os.environ.get("OVERTURE_TEST_SIZE") == "full"


def size(*, small: T, full: T) -> T:
    """What is tried in this run."""
    return full if FULL else small
