"""What a linter sees in what an agent awaits of people: a server that cannot be told, or cannot tell who tells."""

from collections.abc import Iterator
from typing import Final

from overture.agents.lint_texts import Finding, error, warning
from overture.domain import tool_address
from overture.domain.agent import AgentSpec
from overture.domain.tool_address import NOWHERE, Surroundings

_WHERE: Final = "hand_over.notify"


def lint_people(spec: AgentSpec, surroundings: Surroundings | None) -> Iterator[Finding]:
    """Everything wrong with `hand_over`. Without `surroundings` nothing is known of the server's settings."""
    notify = spec.hand_over.notify
    if notify is None:
        return
    wrong = tool_address.unreadable(notify.url)
    if wrong is not None:
        yield error(f"{_WHERE}.url", f"The address {wrong}.", "Write it like https://desk.example.com/hooks/overture.")
        return
    wrong = tool_address.out_of_reach(notify.url, NOWHERE if surroundings is None else surroundings.reach)
    if wrong is not None:
        say = warning if surroundings is None else error
        yield say(f"{_WHERE}.url", f"The address {wrong}.", "Use https, or name the host in the setting.")
    if notify.secret is None:
        hint = "Name a secret, set it as OVERTURE_SECRET_NAME, and check the signature there."
        yield warning(_WHERE, "Nothing is signed, so whoever knows the address can tell lies there.", hint)
    elif surroundings is not None and notify.secret not in surroundings.secrets:
        hint = f"Set OVERTURE_SECRET_{notify.secret}, or {notify.secret} under [secrets] in the settings' file."
        yield warning(f"{_WHERE}.secret", f"There is no secret '{notify.secret}'; every notice would fail.", hint)
