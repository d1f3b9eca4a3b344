"""Stored spending: what messages were expected to cost and what was charged for them, in sums.

Only what the provider took counts: it charges nothing else. A message counts once, however often it was tried; each of
the provider's ids has its own charge. Read along the attempts' key, which rises with the time of writing.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from msgspec import Struct

from overture.domain.spending import By
from overture.store.charges import first_id
from overture.store.engine import Reading
from overture.store.statement import Query

_KEYS: Final = {
    By.DAY: "CAST(m.created_at / 86400000000 AS text)",
    By.SENDER: "coalesce(t.sender_id, '')",
    By.AGENT: "v.agent_id",
}
_JOINED: Final = """
    JOIN message m ON m.workspace_id = a.workspace_id AND m.conversation_id = a.conversation_id AND m.seq = a.seq
    JOIN conversation v ON v.workspace_id = a.workspace_id AND v.id = a.conversation_id
    LEFT JOIN thread t ON t.id = v.thread_id AND t.shard = v.shard
    WHERE a.workspace_id = $1 AND a.message_id >= $2 AND a.message_id < $3 AND a.sid IS NOT NULL
"""


def _expected(key: str) -> Query:
    return Query(
        f"""
        SELECT {key}, m.cost_currency, count(*), coalesce(sum(m.segments), 0), coalesce(sum(m.cost_micros), 0)
        FROM attempt a {_JOINED} AND NOT EXISTS (
            SELECT 1 FROM attempt b
            WHERE b.message_id = a.message_id AND b.number < a.number AND b.sid IS NOT NULL
        )
        GROUP BY 1, 2
        """
    )


def _charged(key: str) -> Query:
    return Query(
        f"""
        SELECT {key}, a.price_currency, count(*), sum(a.price_micros)
        FROM attempt a {_JOINED} AND a.price_micros IS NOT NULL GROUP BY 1, 2
        """
    )


def _charged_twice(key: str) -> Query:
    return Query(
        f"""
        SELECT {key}, s.price_currency, 0, sum(s.price_micros)
        FROM attempt a JOIN second_sid s ON s.message_id = a.message_id AND s.number = a.number {_JOINED}
            AND a.duplicate AND s.price_micros IS NOT NULL
        GROUP BY 1, 2
        """
    )


_EXPECTED_BY_DAY: Final = _expected(_KEYS[By.DAY])
_EXPECTED_BY_SENDER: Final = _expected(_KEYS[By.SENDER])
_EXPECTED_BY_AGENT: Final = _expected(_KEYS[By.AGENT])
_CHARGED_BY_DAY: Final = _charged(_KEYS[By.DAY])
_CHARGED_BY_SENDER: Final = _charged(_KEYS[By.SENDER])
_CHARGED_BY_AGENT: Final = _charged(_KEYS[By.AGENT])
_TWICE_BY_DAY: Final = _charged_twice(_KEYS[By.DAY])
_TWICE_BY_SENDER: Final = _charged_twice(_KEYS[By.SENDER])
_TWICE_BY_AGENT: Final = _charged_twice(_KEYS[By.AGENT])
_QUERIES: Final = {
    By.DAY: (_EXPECTED_BY_DAY, (_CHARGED_BY_DAY, _TWICE_BY_DAY)),
    By.SENDER: (_EXPECTED_BY_SENDER, (_CHARGED_BY_SENDER, _TWICE_BY_SENDER)),
    By.AGENT: (_EXPECTED_BY_AGENT, (_CHARGED_BY_AGENT, _TWICE_BY_AGENT)),
}
