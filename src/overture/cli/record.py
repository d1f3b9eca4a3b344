"""`overture agents record`: a conversation that took place becomes a script, to be read through and kept."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from overture.cli import serving, telling
from overture.cli.rehearsal.expecting import in_words
from overture.domain.channel import Channel
from overture.domain.message import Author
from overture.settings import Settings
from overture.web.api.conversations import MessageView
from overture.web.api.people_shapes import ConversationView

_PAGE: Final = 500
_PAUSE: Final = timedelta(minutes=10)  # an `agent` step waits for so long by itself
_HEAD: Final = """\
# Recorded from a conversation. Give the variables that its caller gave, check the texts for what is private, and
# loosen what need not be word for word.
"""


def record(settings: Settings, conversation_id: str, *, agent: str | None, out: Path | None) -> None:
    """Write the script of a stored conversation, into a file or to the output. Raises Stop."""
    serving.require_data(settings, "There is no conversation before the first start.")

    async def look() -> tuple[ConversationView, str, list[MessageView]]:
        async with serving.operator(settings) as client:
            one = await client.get_conversation(conversation_id)
            name = (await client.get_agent(one.agent_id)).name
            lines: list[MessageView] = []
            more = True
            while more:
                after = lines[-1].seq if lines else 0
                page = await client.list_messages(conversation_id, after=after, limit=_PAGE)
                lines += page.messages
                more = page.has_more and bool(page.messages)
            return one, name, lines

    one, name, lines = telling.run(look())
    if not lines:
        telling.stop("Nothing was said in this conversation.")
    file = agent or f"{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-')}.yaml"
    text = write_script(one, lines, agent=file)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as refused:
        telling.stop(f"{out} cannot be written: {refused.strerror}.")
    print(f"{out}: {len(lines)} lines of the conversation.")
    if agent is None:
        print(
            f"         Its agent is looked for as {file}, beside it: correct `agent` where the file has another name."
        )


def write_script(one: ConversationView, lines: Sequence[MessageView], *, agent: str) -> str:
    """The script of a conversation."""
    first = lines[0]
    play: dict[str, Any] = {"name": "as it took place", "now": f"{one.created_at:%Y-%m-%dT%H:%M:%SZ}"}
    if one.channel is Channel.WHATSAPP:
        play["channel"] = "whatsapp"
    if first.author is Author.CONTACT:
        play["opened_by"] = "contact"
    elif one.channel is Channel.WHATSAPP:
        play["window"] = "open"
    if first.author is Author.CALLER:
        play["opening"] = first.text
    play["steps"] = _steps(one, lines)
    script = {"agent": agent, "conversations": [play]}
    return _HEAD + yaml.safe_dump(script, sort_keys=False, allow_unicode=True, width=110)


def _steps(one: ConversationView, lines: Sequence[MessageView]) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = []
    before: datetime = one.created_at
    with_people = False
    for line in lines:
        if line.created_at - before > _PAUSE:
            steps.append({"wait": in_words(line.created_at - before)})
        before = line.created_at
        if with_people and line.author is Author.AGENT:  # which speaks again once it was given back
            steps.append({"people": {"hand_back": True}})
        with_people = line.author is Author.OPERATOR or (with_people and line.author is Author.CONTACT)
        last = steps[-1] if steps else {}
        match line.author:
            case Author.CONTACT if "contact" in last:
                last["contact"] = [*last["contact"], line.text]
            case Author.CONTACT:
                steps.append({"contact": [line.text]})
            case Author.OPERATOR:
                steps.append({"people": {"take_over": True, "write": line.text}})
            case Author.AGENT | Author.CALLER if one.channel is Channel.WHATSAPP:
                steps.append({"agent": line.text.partition("\n")[0]})  # there choices stand beside the text
            case Author.AGENT | Author.CALLER:
                steps.append({"agent": {"equals": line.text}})
    if one.end_reason is not None:
        steps.append({"state": {"ended": one.end_reason.value}})
    return steps
