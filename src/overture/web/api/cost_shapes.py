"""What our own API tells of money: amounts as decimal texts, so that no reader rounds them."""

from typing import Annotated

from msgspec import Meta, Struct

from overture.domain.prices import Cost, amount
from overture.store.deliveries import Course


class CostView(Struct, frozen=True, kw_only=True):
    """What a message was expected to cost when it was written, and what the provider charged for it since.

    Null where the price table had no price, and until the provider says its own; of a message that was sent twice both
    are charged.
    """

    estimated: Annotated[str | None, Meta(description="By the price table, as a decimal.")]
    charged: Annotated[str | None, Meta(description="By the provider, as a decimal; some minutes after it left.")]
    currency: Annotated[str | None, Meta(description="Of both, or of the one that is known.")]
    charged_currency: Annotated[str | None, Meta(description="Where the provider charges in another.")] = None


def view_of(expected: Cost | None, course: Course) -> CostView:
    """An outgoing message's cost as the API tells it."""
    charged = course.charged
    told = expected or charged
    differs = charged is not None and told is not None and charged.currency != told.currency
    return CostView(
        estimated=None if expected is None else amount(expected.micros),
        charged=None if charged is None else amount(charged.micros),
        currency=None if told is None else told.currency,
        charged_currency=charged.currency if charged is not None and differs else None,
    )
