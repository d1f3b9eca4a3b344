"""Whether the server lives, whether it is ready, and what it has counted."""

from typing import Final, Literal

from msgspec import Struct
from prometheus_client import REGISTRY, generate_latest

from overture.domain.access import Scope
from overture.web import answers
from overture.web.api import instance
from overture.web.routes import Answer, Call, Door, get

_TEXT: Final = b"text/plain; version=0.0.4; charset=utf-8"


class Alive(Struct, frozen=True, kw_only=True):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(Struct, frozen=True, kw_only=True):
    """Whether work is taken; `wrong` says in words what keeps it from that.

    `notes` say what an operator should know: calls and webhooks are taken, but something does not leave.
    """

    status: Literal["ready", "not_ready"]
    wrong: list[str] = []
    notes: list[str] = []


@get("/healthz", may=Door.ANYONE, gives=Alive, tag="Operations")
async def check_health(_call: Call[None, None]) -> Alive:
    """Check that the process lives.

    The database is not asked.
    """
    return Alive()


@get("/readyz", may=Door.ANYONE, gives=Ready, tag="Operations", refusals=(503,))
async def check_readiness(call: Call[None, None]) -> Answer:
    """Check that work is taken.

    Every part is well, the database too, and the server is not about to stop.
    """
    wrong = await call.parts.health()
    if call.parts.is_draining():
        wrong = [*wrong, "The server is about to stop."]
    notes = [] if wrong else await call.parts.store.read(lambda tx: instance.read_notes(tx, call.now))
    body = answers.encode(Ready(status="not_ready" if wrong else "ready", wrong=wrong, notes=notes))
    return Answer(body=body, status=503 if wrong else 200)


@get("/metrics", may=Scope.READ, gives=str, media="text/plain", tag="Operations")
async def read_metrics(_call: Call[None, None]) -> Answer:
    """Get metrics.

    In Prometheus' text form.
    """
    return Answer(body=generate_latest(REGISTRY), content_type=_TEXT)
