"""A breach of an invariant: which one, and what was seen, in a sentence."""

from typing import Final

INVARIANTS: Final = {
    "I1": "No line of a contact is lost, and none is answered twice.",
    "I2": "Once nothing fails any more, everything is handled, and nothing is left to be sent.",
    "I3": "The provider accepts each message at most once.",
    "I4": "One worker at a time has a conversation, and one that has lost it commits nothing.",
    "I5": "After a takeover, a STOP or an end the agent is silent, but for what was at the provider already.",
    "I6": "What a tool changes is changed at most once for each wish.",
    "I7": "The provider's order is the conversation's.",
    "I8": "A handled line has a reply, or a silence that says why.",
    "I9": "A reply is fresh, or its budget of redrafts is spent; every loop has an end.",
    "I10": "A timer fires at most once, and never once it is stale.",
    "I11": "What has ended stays ended.",
    "I12": "What was said and done stands in the journal: reading it again gives the same.",
}


class BreachError(AssertionError):
    """An invariant does not hold."""

    def __init__(self, invariant: str, seen: str) -> None:
        super().__init__(f"{invariant}: {INVARIANTS[invariant]} But: {seen}")
        self.invariant: Final = invariant


def require(holds: object, invariant: str, seen: str) -> None:
    """Raise BreachError unless something holds."""
    if not holds:
        raise BreachError(invariant, seen)
