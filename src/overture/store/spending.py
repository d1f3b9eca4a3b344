"""Stored spending: what messages were expected to cost and what was charged for them, in sums.

Only what the provider took counts: it charges nothing else. A message counts once, however often it was tried; each of
the provider's ids has its own charge. Read along the attempts' key, which rises with the time of writing.
"""

from typing import Final

from overture.domain.spending import By, Part, Period
from overture.store.charges import first_id
from overture.store.engine import Reading
from overture.store.statement import Query, Row

_SUMS: Final = """
    SELECT x.what, x.name, x.cost_currency, x.price_currency, CAST(sum(x.first) AS bigint),
        CAST(sum(x.first * coalesce(x.segments, 0)) AS bigint),
        CAST(sum(x.first * coalesce(x.cost_micros, 0)) AS bigint),
        CAST(sum(CASE WHEN x.cost_micros IS NULL THEN x.first ELSE 0 END) AS bigint),
        CAST(sum(coalesce(x.price_micros, 0)) AS bigint),
        CAST(sum(CASE WHEN x.price_micros IS NULL THEN 1 ELSE 0 END) AS bigint)
"""
_FIRST: Final = """
    CASE WHEN EXISTS (
        SELECT 1 FROM attempt b WHERE b.message_id = a.message_id AND b.number < a.number AND b.sid IS NOT NULL
    ) THEN 0 ELSE 1 END
"""
_JOINED: Final = """
    JOIN message m ON m.workspace_id = a.workspace_id AND m.conversation_id = a.conversation_id AND m.seq = a.seq
    JOIN conversation v ON v.workspace_id = a.workspace_id AND v.id = a.conversation_id
"""
_WHERE: Final = """
    WHERE a.workspace_id = $1 AND a.message_id >= $2 AND a.message_id < $3 AND a.sid IS NOT NULL
"""


def _query(what: str, name: str, more: str) -> Query:
    return Query(
        f"""
        {_SUMS} FROM (
            SELECT {what} AS what, {name} AS name, m.cost_currency, a.price_currency, m.segments, m.cost_micros,
                a.price_micros, {_FIRST} AS first
            FROM attempt a {_JOINED} {more} {_WHERE}
            UNION ALL
            SELECT {what}, {name}, NULL, s.price_currency, NULL, 0, s.price_micros, 0
            FROM attempt a {_JOINED} {more} JOIN second_sid s ON s.message_id = a.message_id AND s.number = a.number
            {_WHERE} AND a.duplicate
        ) x
        GROUP BY 1, 2, 3, 4
        """
    )


_BY_DAY: Final = _query("CAST(m.created_at / 86400000000 AS text)", "''", "")
_BY_SENDER: Final = _query(
    "coalesce(n.id, '')",
    "coalesce(n.channel || ' ' || n.address, '')",
    "LEFT JOIN thread t ON t.id = v.thread_id AND t.shard = v.shard LEFT JOIN sender n ON n.id = t.sender_id",
)
_BY_AGENT: Final = _query(
    "v.agent_id",
    "coalesce(n.name, '')",
    "LEFT JOIN agent n ON n.workspace_id = v.workspace_id AND n.id = v.agent_id",
)
_QUERIES: Final = {By.DAY: _BY_DAY, By.SENDER: _BY_SENDER, By.AGENT: _BY_AGENT}


async def list_parts(tx: Reading, workspace_id: str, period: Period, by: By) -> list[Part]:
    """What was spent on messages that were written in a time, by key and currencies; a day's key counts from 1970."""
    rows = await tx.all(_QUERIES[by], workspace_id, first_id(period.begins), first_id(period.ends))
    return [_part(row) for row in rows]


def _part(row: Row) -> Part:
    return Part(
        key=row[0],
        name=row[1],
        expected_in=row[2],
        charged_in=row[3],
        messages=row[4],
        segments=row[5],
        expected=row[6],
        not_expected=row[7],
        charged=row[8],
        not_charged=row[9],
    )
