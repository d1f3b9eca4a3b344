"""Stored rules: what a workspace and each of its senders allow. Decoded forms are kept, for few differ."""

from functools import lru_cache
from typing import Final

import msgspec

from overture.domain.rules import NONE, Rules
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query

_OF_WORKSPACE: Final = Query("SELECT rules FROM workspace WHERE id = $1")
_SET_OF_WORKSPACE: Final = Command("UPDATE workspace SET rules = $2 WHERE id = $1")
_SET_OF_SENDER: Final = Command("UPDATE sender SET rules = $3 WHERE workspace_id = $1 AND id = $2")

_decoder: Final = msgspec.json.Decoder(Rules)


async def get_of_workspace(tx: Reading, workspace_id: str) -> Rules:
    """What a workspace allows."""
    row = await tx.one(_OF_WORKSPACE, workspace_id)
    return NONE if row is None else decode(row[0])


async def set_of_workspace(tx: Writing, workspace_id: str, rules: Rules) -> None:
    """Let these be a workspace's rules."""
    await tx.run(_SET_OF_WORKSPACE, workspace_id, encode(rules))


async def set_of_sender(tx: Writing, workspace_id: str, sender_id: str, rules: Rules) -> None:
    """Let these be a sender's rules."""
    await tx.run(_SET_OF_SENDER, workspace_id, sender_id, encode(rules))


def encode(rules: Rules) -> str:
    """Rules as they are stored."""
    return msgspec.json.encode(rules).decode()


@lru_cache(maxsize=1024)
def decode(text: str) -> Rules:
    """Rules as they were stored. Raises MsgspecError for what no version of ours wrote."""
    rules: Rules = _decoder.decode(text)
    return rules
