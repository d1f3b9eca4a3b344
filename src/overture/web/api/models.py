"""Model endpoints of the settings: what they can do, as a check found it."""

from datetime import datetime
from typing import Annotated, Final

from msgspec import Meta, Struct

from overture.domain.access import Scope
from overture.domain.agent import PromptSpec
from overture.domain.model_check import Ability, Checked
from overture.store import agents
from overture.web.routes import Call, get, post

_MOST_AGENTS: Final = 200  # that are looked at for tools their model cannot call


class CheckModel(Struct, frozen=True, kw_only=True):
    """Which endpoint to check."""

    name: Annotated[
        Annotated[str, Meta(max_length=64)] | None, Meta(description="Its name in the settings; null: the default.")
    ] = None


class TriedView(Struct, frozen=True, kw_only=True):
    """What was tried: whether it works (null: it could not be tried), why, and what would help."""

    what: Ability
    works: bool | None
    why: str
    hint: str | None


class ModelCheck(Struct, frozen=True, kw_only=True):
    """What a check found. `usable` where the endpoint answers at all; `quirks` are how it is asked differently."""

    usable: bool
    answered_as: str
    checked_at: datetime
    tried: list[TriedView]
    quirks: list[str]
    calls_tools: bool


class ModelView(Struct, frozen=True, kw_only=True):
    """A model endpoint; the first one is the default. `checked` is null where it was never checked.

    `cannot_serve` are the agents whose tools it cannot call, by name.
    """

    name: str
    base_url: str
    model: str
    checked: ModelCheck | None
    cannot_serve: list[str]


class ModelList(Struct, frozen=True, kw_only=True):
    """The model endpoints of the settings."""

    models: list[ModelView]


@get("/overture/v1/models", may=Scope.ADMIN, gives=ModelList, tag="Operations")
async def list_models(call: Call[None, None]) -> ModelList:
    """List the model endpoints.

    With what their last check found, and the agents that need more than they can.
    """
    known = await call.parts.models.list_all()
    page, _ = await call.parts.store.read(
        lambda tx: agents.list_page(tx, call.workspace_id, limit=_MOST_AGENTS, offset=0)
    )
    first = known[0][0].name if known else ""
    needy: dict[str, list[str]] = {}
    for record in page:
        if isinstance(record.agent.spec, PromptSpec) and record.agent.spec.tools:
            needy.setdefault(record.agent.spec.model or first, []).append(record.name)
    return ModelList(
        models=[
            ModelView(
                name=one.name,
                base_url=one.base_url,
                model=one.model,
                checked=None if checked is None else _view(checked),
                cannot_serve=([] if checked is None or checked.found.quirks.calls_tools else needy.get(one.name, [])),
            )
            for one, checked in known
        ]
    )


@post(
    "/overture/v1/models/check",
    may=Scope.ADMIN,
    takes=CheckModel,
    gives=ModelCheck,
    tag="Operations",
    example={"name": "default"},
    refusals=(404,),
)
async def check_one_model(call: Call[CheckModel, None]) -> ModelCheck:
    """Check a model endpoint.

    It is asked for a handful of short answers, which cost what it takes for them. What is found is used by all agents
    from then on. An endpoint that does not answer is told of and leaves what was known of it as it is.
    """
    return _view(await call.parts.models.check(call.body.name))


def _view(checked: Checked) -> ModelCheck:
    found = checked.found
    return ModelCheck(
        usable=found.chats,
        answered_as=found.answered_as,
        checked_at=checked.checked_at,
        tried=[TriedView(what=one.ability, works=one.works, why=one.why, hint=one.hint) for one in found.tried],
        quirks=found.quirks.sentences(),
        calls_tools=found.quirks.calls_tools,
    )
