"""The machine's clock jumps hours and days ahead and back while the house runs: nothing is sent twice or forgotten.

On PostgreSQL the database's clock decides, and the machine's own may say what it likes. On SQLite the machine's clock
is all there is, and one that is set is believed: what a jump ahead made too old is not sent, and says so; what became
due while it was ahead waits until it is there again.
"""

import random
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from tests.faults.houses import callers, more, running
from tests.reaching import Reached
from tests.sizes import size

ROUNDS = size(small=1, full=10)
JUMPS = (timedelta(hours=2), timedelta(hours=-2), timedelta(days=1), timedelta(days=-1))


@pytest.mark.promise("P14")
async def test_a_clock_that_jumps_repeats_nothing_and_forgets_nothing(
    database_url: str, tmp_path: Path, reached: Reached
) -> None:
    dice, jumped = random.Random(14), 0
    async with running(database_url, tmp_path, timed=False) as house:
        async with callers(house) as told:
            for _ in range(ROUNDS):
                for there in dice.sample(JUMPS[::2], 2):
                    for jump in (there, -there):
                        await more(house, told, 2)
                        house.clock.ahead += jump
                        jumped += 1
            await more(house, told, 3)
        if database_url.startswith("sqlite:"):
            house.clock.jumps(days=1)
            await house.comes_to_rest()  # what was at the provider while the clock jumped is looked for in its list
        await house.until(house.is_quiet)
        said = Counter((message["to"], message["body"]) for message in house.twilio.taken)
        assert set(said.values()) == {1}
        failed = await house.rows("SELECT reason FROM message WHERE status = 'failed'")
        assert {row[0] for row in failed} <= {"expired", "cancelled"}  # a turn whose claims ran out ends with a person
        out = await house.rows("SELECT count(*) FROM message WHERE direction = 'out'")
        assert out[0][0] == len(said) + len(failed)
        [[waiting]] = await house.rows("SELECT count(*) FROM timer WHERE kind = 'inactivity'")
        [[live]] = await house.rows("SELECT count(*) FROM conversation WHERE mode <> 'ended'")
        assert waiting == live
        assert house.roads_that_ended() == []
    reached(
        f"{jumped} jumps, {len(told)} conversations: 0 duplicates, 0 timers lost, {len(failed)} messages too old to be "
        "sent, which they say"
    )
