"""Stored use of models: beside each step, and in sums of a day by agent.

A day's row of a workspace whose agent is empty holds nothing: whoever reserves under a budget of the workspace holds
it until the commit, as the agent's own row under a budget of the agent.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.model_use import Taken, Use
from overture.store.engine import Reading, Writing
from overture.store.statement import Command, Query

_DAY_SECONDS: Final = 86_400
_KEEP: Final = Command(
    """
    UPDATE step SET input_tokens = $3, output_tokens = $4, cost_micros = $5, cost_currency = $6, is_guess = $7
    WHERE turn_id = $1 AND number = $2
    """
)
_HOLD: Final = Command(
    """
    INSERT INTO model_day (workspace_id, agent_id, day, currency) VALUES ($1, $2, $3, '')
    ON CONFLICT (workspace_id, day, agent_id, currency) DO UPDATE SET requests = model_day.requests
    """
)
_ADD: Final = Command(
    """
    INSERT INTO model_day (workspace_id, agent_id, day, currency, requests, input_tokens, output_tokens, cost_micros)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    ON CONFLICT (workspace_id, day, agent_id, currency) DO UPDATE SET
        requests = model_day.requests + excluded.requests,
        input_tokens = model_day.input_tokens + excluded.input_tokens,
        output_tokens = model_day.output_tokens + excluded.output_tokens,
        cost_micros = model_day.cost_micros + excluded.cost_micros
    """
)
_SUMS: Final = (
    "CAST(coalesce(sum(input_tokens + output_tokens), 0) AS bigint), CAST(coalesce(sum(cost_micros), 0) AS bigint)"
)
_FORGET: Final = Command("DELETE FROM model_day WHERE day < $1")
_OF_WORKSPACE: Final = Query(f"SELECT {_SUMS} FROM model_day WHERE workspace_id = $1 AND day = $2")
_OF_AGENT: Final = Query(f"SELECT {_SUMS} FROM model_day WHERE workspace_id = $1 AND day = $2 AND agent_id = $3")
_OF_CONVERSATION: Final = Query(
    f"SELECT {_SUMS} FROM step WHERE workspace_id = $1 AND conversation_id = $2 AND input_tokens IS NOT NULL"
)
_TOLD: Final = Query(
    """
    SELECT coalesce(cost_currency, ''), count(*), CAST(sum(input_tokens) AS bigint),
        CAST(sum(output_tokens) AS bigint), CAST(coalesce(sum(cost_micros), 0) AS bigint),
        CAST(sum(CASE WHEN is_guess THEN 1 ELSE 0 END) AS bigint)
    FROM step WHERE workspace_id = $1 AND conversation_id = $2 AND input_tokens IS NOT NULL GROUP BY 1 ORDER BY 1
    """
)


_DAYS: Final = """
    SELECT {key}, {name}, model_day.currency, CAST(sum(requests) AS bigint), CAST(sum(input_tokens) AS bigint),
        CAST(sum(output_tokens) AS bigint), CAST(sum(cost_micros) AS bigint)
    FROM model_day {joined}
    WHERE model_day.workspace_id = $1 AND day >= $2 AND day < $3 AND requests > 0
    GROUP BY 1, 2, 3 ORDER BY 2, 1, 3
"""
_BY_DAY: Final = Query(_DAYS.format(key="CAST(day AS text)", name="CAST(day AS text)", joined=""))
_BY_AGENT: Final = Query(
    _DAYS.format(
        key="model_day.agent_id",
        name="coalesce(agent.name, '')",
        joined="LEFT JOIN agent ON agent.workspace_id = model_day.workspace_id AND agent.id = model_day.agent_id",
    )
)


class Total(Struct, frozen=True, kw_only=True):
    """What the steps of a conversation took that have one currency, which is empty where there was no price."""

    currency: str
    requests: int
    input_tokens: int
    output_tokens: int
    micros: int
    guesses: int


def day_of(at: datetime) -> int:
    """A day of UTC, counted from 1970."""
    return int(at.timestamp()) // _DAY_SECONDS


async def keep(tx: Writing, turn_id: str, number: int, use: Use) -> None:
    """Let this be what a step takes."""
    await tx.run(
        _KEEP,
        turn_id,
        number,
        use.input_tokens,
        use.output_tokens,
        use.micros,
        use.currency or None,
        use.is_guess,
    )


async def hold(tx: Writing, workspace_id: str, agent_id: str, day: int) -> None:
    """Wait for who reserves under the same budget, until the commit; without an agent, under the workspace's."""
    await tx.run(_HOLD, workspace_id, agent_id, day)


async def add(tx: Writing, workspace_id: str, agent_id: str, day: int, use: Use, *, requests: int, sign: int) -> None:
    """Count what a step takes in with its day, or take it off again."""
    await tx.run(
        _ADD,
        workspace_id,
        agent_id,
        day,
        use.currency,
        requests,
        sign * use.input_tokens,
        sign * use.output_tokens,
        sign * (use.micros or 0),
    )


async def sum_of_day(tx: Reading, workspace_id: str, day: int, agent_id: str | None = None) -> Taken:
    """What was taken on a day, by an agent or by all."""
    if agent_id is None:
        return _taken(await tx.one(_OF_WORKSPACE, workspace_id, day))
    return _taken(await tx.one(_OF_AGENT, workspace_id, day, agent_id))


async def sum_of_conversation(tx: Reading, workspace_id: str, conversation_id: str) -> Taken:
    """What a conversation took."""
    return _taken(await tx.one(_OF_CONVERSATION, workspace_id, conversation_id))


async def list_of_conversation(tx: Reading, workspace_id: str, conversation_id: str) -> list[Total]:
    """What a conversation took, by currency."""
    return [
        Total(
            currency=row[0], requests=row[1], input_tokens=row[2], output_tokens=row[3], micros=row[4], guesses=row[5]
        )
        for row in await tx.all(_TOLD, workspace_id, conversation_id)
    ]


class Spent(Struct, frozen=True, kw_only=True):
    """What models took on a day (by its number since 1970) or for an agent, and cost in one currency, or in none."""

    key: str
    name: str
    currency: str
    requests: int
    input_tokens: int
    output_tokens: int
    micros: int


async def list_days(tx: Reading, workspace_id: str, begins: datetime, ends: datetime, *, by_agent: bool) -> list[Spent]:
    """What models took in whole days of UTC, the last one not included."""
    query = _BY_AGENT if by_agent else _BY_DAY
    return [
        Spent(
            key=row[0],
            name=row[1],
            currency=row[2],
            requests=row[3],
            input_tokens=row[4],
            output_tokens=row[5],
            micros=row[6],
        )
        for row in await tx.all(query, workspace_id, day_of(begins), day_of(ends))
    ]


async def forget_before(tx: Writing, at: datetime) -> None:
    """Let go of the sums of days of UTC that ended before an instant."""
    await tx.run(_FORGET, day_of(at))


def _taken(row: tuple[int, ...] | None) -> Taken:
    assert row is not None
    return Taken(tokens=row[0], micros=row[1])
