"""The domain's small rules: when a reply is due, whose message it is, how far a delivery is, when to try again."""

import itertools
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.domain import delivery, ids, retry, routing
from overture.domain.agent import EndReason
from overture.domain.conversation import ChatStatus, Mode, chat_status
from overture.domain.delivery import DeliveryStatus
from overture.domain.reply_time import QuietTimes
from overture.domain.routing import Route

NOW = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "choice", "button", "seconds"),
    [
        ("tomorrow", False, False, 6.0),
        ("Tomorrow.", False, False, 2.5),
        ("Really?  ", False, False, 2.5),
        ("明日。", False, False, 2.5),
        ("yes", True, False, 1.5),
        ("yes.", True, False, 1.5),
        ("Yes", True, True, 0.0),
        ("", False, False, 6.0),
    ],
)
def test_how_long_to_wait_for_more(text: str, choice: bool, button: bool, seconds: float) -> None:
    assert QuietTimes().after(text, expects_choice=choice, is_button=button) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("every", "own", "seconds"),
    [(None, None, 6.0), (1.0, None, 1.0), (0.0, None, 0.0), (1.0, 3.0, 3.0), (1.0, 0.0, 0.0)],
)
def test_the_agents_quiet_time_goes_before_the_servers(every: float | None, own: float | None, seconds: float) -> None:
    assert QuietTimes(every=every).after("well", own=own) == timedelta(seconds=seconds)


COMPLETED, SUPERSEDED, OUT = EndReason.COMPLETED, EndReason.SUPERSEDED, EndReason.OPT_OUT


@pytest.mark.parametrize(
    ("text", "ended", "reason", "opted_out", "agent", "goes"),
    [
        ("hello", None, None, False, False, Route.NOWHERE),
        ("hello", None, None, False, True, Route.INBOUND_AGENT),
        ("hello", None, None, True, True, Route.NOWHERE),
        ("thanks!", 9, COMPLETED, False, True, Route.SILENCE),
        ("thanks!", 0, COMPLETED, False, True, Route.SILENCE),
        ("👍", 9, COMPLETED, False, True, Route.SILENCE),
        ("👍🏽", 9, COMPLETED, False, False, Route.SILENCE),
        ("👍", 11, COMPLETED, False, True, Route.RESUME),
        ("🎉", 1, COMPLETED, False, True, Route.SILENCE),
        ("👎", 1, COMPLETED, False, True, Route.RESUME),
        ("thanks!", 1, EndReason.INACTIVITY_TIMEOUT, False, True, Route.RESUME),
        ("thanks!", 1, EndReason.HANDED_OVER, False, True, Route.RESUME),
        ("thanks!", 1, EndReason.CANCELLED, False, True, Route.RESUME),
        ("thanks!", 1, OUT, False, True, Route.INBOUND_AGENT),
        ("thanks!", 1, OUT, True, True, Route.NOTE),
        ("thanks! one more question", 1, COMPLETED, False, True, Route.RESUME),
        ("thanks!", None, None, False, True, Route.INBOUND_AGENT),
        ("thanks!", 10, COMPLETED, False, True, Route.RESUME),
        ("thanks!", 9, SUPERSEDED, False, False, Route.RESUME),
        ("can I move it?", 9, COMPLETED, False, False, Route.RESUME),
        ("hello", 7 * 24 * 60 - 1, COMPLETED, False, True, Route.RESUME),
        ("hello", 7 * 24 * 60, COMPLETED, False, True, Route.INBOUND_AGENT),
        ("hello", 7 * 24 * 60, COMPLETED, False, False, Route.NOWHERE),
        ("hello", 5, OUT, True, True, Route.NOTE),
        ("hello", 5, OUT, False, True, Route.INBOUND_AGENT),  # subscribed again: a new conversation, not the old one
        ("hello", 5, OUT, False, False, Route.NOWHERE),
    ],
)
def test_where_a_message_goes_that_meets_no_live_conversation(
    text: str, ended: int | None, reason: EndReason | None, opted_out: bool, agent: bool, goes: Route
) -> None:
    at = None if ended is None else NOW - timedelta(minutes=ended)
    found = routing.route(
        text, last_ended_at=at, last_reason=reason, opted_out=opted_out, has_inbound_agent=agent, now=NOW
    )
    assert found is goes


@pytest.mark.parametrize("text", ["👍", "😡", ""])
@pytest.mark.parametrize("ended", [None, 5, 60])
@pytest.mark.parametrize("opted_out", [False, True])
def test_a_reaction_neither_goes_on_with_a_conversation_nor_begins_one(
    text: str, ended: int | None, opted_out: bool
) -> None:
    at = None if ended is None else NOW - timedelta(minutes=ended)
    found = routing.route(
        text, last_ended_at=at, last_reason=COMPLETED, opted_out=opted_out, has_inbound_agent=True, now=NOW,
        is_reaction=True,
    )  # fmt: skip
    assert found is Route.SILENCE


@pytest.mark.parametrize(
    "text",
    [
        "thanks",
        "Thank you so much!",
        "👍",
        "👍🏽",
        "❤️",
        "ok, thanks a lot",
        "Danke schön",
        "bye",
        "🎉",
        "👏👏",
        "💯",
        "Muchas gracias",
        "merci beaucoup",
        "grazie mille",
        "obrigada",
        "dank je wel",
        "all good, thanks",
        "perfect, see you then",
        "got it",
        "will do, thx",
        "have a nice day",
        "alles klar, bis dann",
    ],
)
def test_thanks_are_thanks(text: str) -> None:
    assert routing.is_thanks(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  ",
        "thanks, but Friday is better",
        "no thanks",
        "👎",
        "😡",
        "??",
        "good?",
        "it is all good but late",
        "ok?",
        "thank" * 20,
        "a lot " * 9 + "x",
    ],
)
def test_what_says_more_than_thanks_is_answered(text: str) -> None:
    assert not routing.is_thanks(text)


@pytest.mark.parametrize("seen", list(itertools.permutations(DeliveryStatus, 2)))
def test_of_two_statuses_the_same_one_wins_whichever_comes_first(seen: tuple[DeliveryStatus, DeliveryStatus]) -> None:
    first, second = seen
    assert delivery.moves(first, second) is not delivery.moves(second, first)


@pytest.mark.parametrize(
    ("present", "reported", "is_news"),
    [
        (None, DeliveryStatus.QUEUED, True),
        (DeliveryStatus.QUEUED, DeliveryStatus.SENT, True),
        (DeliveryStatus.SENT, DeliveryStatus.SENDING, False),
        (DeliveryStatus.SENT, DeliveryStatus.SENT, False),
        (DeliveryStatus.DELIVERED, DeliveryStatus.SENT, False),
        (DeliveryStatus.DELIVERED, DeliveryStatus.READ, True),
        (DeliveryStatus.DELIVERED, DeliveryStatus.FAILED, False),
        (DeliveryStatus.SENT, DeliveryStatus.UNDELIVERED, True),
        (DeliveryStatus.UNDELIVERED, DeliveryStatus.SENT, False),
    ],
)
def test_statuses_only_move_forward(present: DeliveryStatus | None, reported: DeliveryStatus, is_news: bool) -> None:
    assert delivery.moves(present, reported) is is_news


@pytest.mark.parametrize(
    ("mode", "reason", "status"),
    [
        (Mode.BOT, None, ChatStatus.ONGOING),
        (Mode.HUMAN, None, ChatStatus.ONGOING),
        (Mode.PAUSED, None, ChatStatus.ONGOING),
        (Mode.ENDED, EndReason.COMPLETED, ChatStatus.COMPLETED),
        (Mode.ENDED, EndReason.INACTIVITY_TIMEOUT, ChatStatus.COMPLETED),
        (Mode.ENDED, EndReason.MAX_TURNS, ChatStatus.COMPLETED),
        (Mode.ENDED, EndReason.HANDED_OVER, ChatStatus.COMPLETED),
        (Mode.ENDED, EndReason.OPT_OUT, ChatStatus.CANCELLED),
        (Mode.ENDED, EndReason.SUPERSEDED, ChatStatus.CANCELLED),
        (Mode.ENDED, EndReason.CANCELLED, ChatStatus.CANCELLED),
        (Mode.ENDED, EndReason.FAILED, ChatStatus.CANCELLED),
    ],
)
def test_the_chat_apis_word_for_a_conversation(mode: Mode, reason: EndReason | None, status: ChatStatus) -> None:
    assert chat_status(mode, reason) is status


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**64 - 1), st.integers(0, 1023))
def test_an_id_is_a_uuid_of_version_7_that_tells_its_shard(at: int, random: int, shard: int) -> None:
    text = ids.uuid7(at, random, shard)
    assert ids.is_uuid(text)
    assert ids.shard_of(text) == shard
    read = uuid.UUID(text)
    assert (read.version, read.variant) == (7, uuid.RFC_4122)
    assert read.int >> 80 == at


@given(st.integers(0, 2**48 - 2), st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 1023))
def test_ids_of_a_later_millisecond_sort_later(at: int, one: int, other: int, shard: int) -> None:
    assert ids.uuid7(at, one, shard) < ids.uuid7(at + 1, other, shard)


def test_contacts_spread_over_the_shards() -> None:
    shards = [ids.shard_for("w", f"+1555{n:07}") for n in range(4096)]
    assert len(set(shards)) > 900
    assert {ids.shard_for("w", "+15550100001") for _ in range(3)} == {ids.shard_for("w", "+15550100001")}
    assert ids.shard_for("w", "+15550100001") != ids.shard_for("v", "+15550100001")


@pytest.mark.parametrize("text", ["", "x", "1711241656808x745681686585854500", "0123456789abcdef0123456789abcdef"])
def test_what_is_no_uuid(text: str) -> None:
    assert not ids.is_uuid(text)


def test_pauses_double_up_to_five_minutes() -> None:
    seconds = [retry.delay(tries).total_seconds() for tries in range(14)]
    assert seconds[:5] == [0.5, 1, 2, 4, 8]
    assert seconds[-1] == 300
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(("tries", "asked", "seconds"), [(0, 30, 30), (8, 1, 128), (0, None, 0.5), (100, 7200, 7200)])
def test_what_the_provider_asks_for_is_the_least(tries: int, asked: float | None, seconds: float) -> None:
    assert retry.delay(tries, asked) == timedelta(seconds=seconds)
