"""What a node of a flow learned from the world, as the flow takes it."""

from msgspec import Struct

from overture.domain.tool import Scalar


class Learned(Struct, frozen=True, kw_only=True):
    """What it says, word for word and by the flow's own text; what it keeps in `slot`; and where the flow goes then.

    Without `goto` the flow goes on as the node says; with `gives_up`, the reason, it hands over. A `slot` without a
    value is emptied: what an earlier answer was is over.
    """

    said: str = ""
    text: str | None = None
    slot: str | None = None
    value: Scalar | None = None
    goto: str | None = None
    gives_up: str | None = None
