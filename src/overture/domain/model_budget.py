"""Budgets of models: how many tokens, and how much money, may go to them."""

from typing import Annotated, Final

from msgspec import Meta, Struct

MOST: Final = 10**15

_Limit = Annotated[int, Meta(ge=0, le=MOST)]


class ModelBudget(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, cache_hash=True):
    """What models may take on one day of UTC; zero allows nothing. Money is in millionths."""

    tokens_per_day: _Limit | None = None
    cost_per_day: _Limit | None = None


class Limits(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What models may take of one conversation; zero allows nothing. Money is in millionths."""

    tokens_per_conversation: _Limit | None = None
    cost_per_conversation: _Limit | None = None
