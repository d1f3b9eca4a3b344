"""Speaking up: what a model is told when it follows up, and what its wish to do so comes to.

What it noted for itself is told where a contact's words stand, not among the instructions: it may repeat them.
"""

from datetime import datetime, timedelta
from typing import Any, Final

from overture.agents import tools
from overture.agents.follow_up_time import read_due
from overture.domain.agent import PromptSpec
from overture.domain.errors import Invalid
from overture.domain.follow_up import LONGEST
from overture.domain.turn import SpeakUp

LONGEST_NOTE: Final = 300
NOTED: Final = '{"ok":true,"next":"Nothing was sent: you will be asked then, if nobody has written. Answer now."}'


def cue(about: str) -> str:
    """What stands in place of a contact's line."""
    noted = about.replace("[[", "[ [")
    return (
        f"(The contact has not written since. You wanted to follow up now, about: {noted}. Write that message: short, "
        "and such that it makes sense to somebody who has done other things meanwhile.)"
    )


def wish(spec: PromptSpec, given: dict[str, Any], now: datetime) -> SpeakUp:
    """What a model asked for. Raises BadCallError where it names no time that a follow-up can have."""
    if spec.max_follow_ups == 0:
        raise tools.BadCallError("This agent does not follow up.")
    after, about = given.get("after"), given.get("about")
    if not isinstance(after, str):
        raise tools.BadCallError("Say when: after.")
    longest = min(LONGEST, timedelta(seconds=spec.inactivity_seconds))
    try:
        due_at = read_due(after, now=now, timezone=spec.timezone, language=spec.language, longest=longest)
    except Invalid as wrong:
        raise tools.BadCallError(f"{wrong.description} {wrong.hint or ''}".strip()) from wrong
    return SpeakUp(due_at=due_at, about=about[:LONGEST_NOTE] if isinstance(about, str) else "")
