"""What the steps of models take, in tokens and money, and the budgets that hold them.

A step's use is reserved before the model is asked, as much as it may come to, and settled by what the provider counted.
What nobody counted is guessed from the length of the text, and says so.
"""

from collections.abc import Mapping
from typing import Final, TypeAlias

from msgspec import Struct

from overture.domain.turn import ModelAnswered, ModelRequest

_MILLION: Final = 1_000_000
_BYTES_OF_TOKEN: Final = 4  # of UTF-8, about what tokenizers make of prose in most scripts
_BELIEVED: Final = 10**8  # tokens that a provider may tell of one answer; no model takes so many


class ModelPrice(Struct, frozen=True, kw_only=True):
    """What a million tokens cost at an endpoint, in millionths of a currency."""

    input: int
    output: int
    currency: str


Prices: TypeAlias = Mapping[str | None, ModelPrice]
"""By the endpoint's name, None for the default one; what is not there has no known price."""


class Use(Struct, frozen=True, kw_only=True):
    """What one step took: `micros` is None where its endpoint has no price, `is_guess` where nobody counted."""

    input_tokens: int = 0
    output_tokens: int = 0
    micros: int | None = None
    currency: str = ""
    is_guess: bool = False

    @property
    def tokens(self) -> int:
        """Of both ways."""
        return self.input_tokens + self.output_tokens


class Taken(Struct, frozen=True, kw_only=True):
    """What steps took together."""

    tokens: int
    micros: int


class Bound(Struct, frozen=True, kw_only=True):
    """A limit that a step comes under: whose it is in words, what it allows, and what was taken of it."""

    whose: str
    tokens: int | None
    micros: int | None
    taken: Taken


def reserved(request: ModelRequest, length: int, price: ModelPrice | None) -> Use:
    """What an answer to a request of so many bytes may come to."""
    return _priced(guess_tokens(length), request.max_output_tokens, price, is_guess=True)


def used(answer: ModelAnswered, held: Use, price: ModelPrice | None) -> Use:
    """What an answer took, as the provider counted it, or as its length lets guess."""
    counted = 0 < answer.input_tokens <= _BELIEVED and 0 <= answer.output_tokens <= _BELIEVED
    counted = counted and (answer.output_tokens > 0 or not answer.text)
    if counted:
        return _priced(answer.input_tokens, answer.output_tokens, price, is_guess=False)
    said = len(answer.text.encode()) + sum(len(call.name) + len(call.arguments.encode()) for call in answer.calls)
    return _priced(held.input_tokens, max(1, guess_tokens(said)), price, is_guess=True)


def guess_tokens(length: int) -> int:
    """About how many tokens so many bytes of UTF-8 are."""
    return -(-length // _BYTES_OF_TOKEN)


def find_spent(bounds: list[Bound], held: Use) -> str | None:
    """Why a step may not be taken; None where every budget has room for all that it may come to."""
    for bound in bounds:
        if bound.tokens is not None and bound.taken.tokens + held.tokens > bound.tokens:
            return (
                f"{bound.whose} allows {bound.tokens} tokens, {bound.taken.tokens} are taken, "
                f"and the next answer may take {held.tokens}."
            )
        if bound.micros is None:
            continue
        if held.micros is None:
            return (
                f"{bound.whose} limits what models cost, and the agent's model endpoint has no price in the settings."
            )
        if bound.taken.micros + held.micros > bound.micros:
            return (
                f"{bound.whose} allows {bound.micros} millionths, {bound.taken.micros} are taken, "
                f"and the next answer may cost {held.micros}."
            )
    return None


def _priced(input_tokens: int, output_tokens: int, price: ModelPrice | None, *, is_guess: bool) -> Use:
    if price is None:
        return Use(input_tokens=input_tokens, output_tokens=output_tokens, is_guess=is_guess)
    return Use(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        micros=-(-(input_tokens * price.input + output_tokens * price.output) // _MILLION),
        currency=price.currency,
        is_guess=is_guess,
    )
