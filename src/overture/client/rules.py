"""The client's calls about rules: those of the workspace, and with a sender's id those of that sender."""

from collections.abc import Mapping
from typing import Any

from overture.client.calling import Caller, quoted
from overture.domain.rules import Rules
from overture.web.api.rules import ExplainedView


class RuleCalls(Caller):
    """Calls about what is allowed of messages that nobody waits for."""

    async def get_rules(self, sender_id: str | None = None) -> Rules:
        """The rules that are set."""
        return await self._get(Rules, _path(sender_id))

    async def set_rules(self, rules: Mapping[str, Any], sender_id: str | None = None) -> Rules:
        """Let these take the place of the rules that were."""
        return await self._get(Rules, _path(sender_id), rules, method="PUT")

    async def explain_rules(self, to_number: str, **asked: str) -> ExplainedView:
        """What every rule says of an opening; `asked` are further fields of `ExplainFor`."""
        return await self._get(ExplainedView, "/overture/v1/rules/explain", query={"to_number": to_number, **asked})


def _path(sender_id: str | None) -> str:
    return "/overture/v1/rules" if sender_id is None else f"/overture/v1/senders/{quoted(sender_id)}/rules"
