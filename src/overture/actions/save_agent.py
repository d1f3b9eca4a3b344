"""Keep a version of an agent, after the linter has read it."""

from datetime import datetime
from typing import Any, Final

from msgspec import Struct

from overture.agents import kinds
from overture.agents.lint import Finding, lint
from overture.domain.agent import AgentSpec
from overture.domain.errors import Invalid, Refusal
from overture.domain.ports import Ids
from overture.domain.tool_address import Surroundings
from overture.store import agents, knowledge
from overture.store.engine import Reading, Writing


class Saved(Struct, frozen=True, kw_only=True):
    """An agent is on disk. `created` where it is new; `warnings` are what the linter would do better."""

    id: str
    version: int
    created: bool
    warnings: tuple[Finding, ...] = ()


class Unsound(Invalid):
    """The agent would break conversations; `findings` says where, warnings included."""

    def __init__(self, findings: tuple[Finding, ...]) -> None:
        first = next(finding for finding in findings if finding.severity == "error")
        count = sum(finding.severity == "error" for finding in findings)
        more = f" ({count - 1} more)" if count > 1 else ""
        super().__init__("agent_invalid", f"{first.where}: {first.sentence}{more}", field=first.where, hint=first.hint)
        self.findings: Final = findings


async def save_agent(
    tx: Writing,
    *,
    workspace_id: str,
    spec: AgentSpec,
    now: datetime,
    ids: Ids,
    agent_id: str | None = None,
    details: dict[str, Any] | None = None,
    surroundings: Surroundings | None = None,
) -> Saved | Refusal:
    """Keep a specification as the agent's new version; the caller commits.

    The id is the given one, else the specification's own, else a new one. What is kept already makes no new version.
    `details` are the fields as the author sent them, kept and echoed; `surroundings` are what the linter knows of the
    server that its tools are called from.
    """
    findings = tuple(lint(spec, surroundings, knowledge=await _known(tx, workspace_id, spec)))
    if any(finding.severity == "error" for finding in findings):
        return Unsound(findings)
    an_id = agent_id or spec.id or ids.new(now)
    known = await agents.find(tx, workspace_id, an_id)
    if known is not None and known.agent.spec == spec and known.details == (details or {}):
        return Saved(id=an_id, version=known.agent.version, created=False, warnings=findings)
    version = await agents.save(tx, workspace_id, an_id, spec, details or {}, now)
    return Saved(id=an_id, version=version, created=known is None, warnings=findings)


async def _known(tx: Reading, workspace_id: str, spec: AgentSpec) -> frozenset[str]:
    """Which of the bases that an agent names there are."""
    names = kinds.bases(spec)
    if not names:
        return frozenset()
    return frozenset(base.name for base in await knowledge.find_all(tx, workspace_id, names))
