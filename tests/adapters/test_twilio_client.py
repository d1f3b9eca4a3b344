"""What became of a message after a POST is told apart by one question: can the request have arrived?"""

import asyncio
import base64
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

import aiohttp
import pytest
from msgspec import structs

from overture.adapters.twilio import callback
from overture.adapters.twilio.client import TwilioAccount, TwilioClient
from overture.domain.delivery import DeliveryStatus
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Transient
from overture.domain.message import Template, Text
from overture.domain.ports import Accepted, Outgoing, ProviderMessage
from tests.adapters.wire import Answer, Peer, drip, http, peer, reset, silence, truncated

ACCOUNT = "AC" + "a1" * 16
SID = "SM" + "0c" * 16
SECRET = b"secret"
CREATED = json.dumps({"sid": SID, "status": "queued", "num_segments": "2", "new": {"field": 1}})
SHORT = aiohttp.ClientTimeout(total=0.4, connect=0.3)

OUTGOING = Outgoing(
    message_id="0190-m",
    attempt=2,
    account_sid=ACCOUNT,
    sender="+15550001111",
    to="+15559876543",
    body=Text(text="Hé & how are you? 😀"),
    validity_seconds=1800,
)


@asynccontextmanager
async def client_of(base_url: str, **account: str) -> AsyncIterator[TwilioClient]:
    known = structs.replace(TwilioAccount(sid=ACCOUNT, base_url=base_url, auth_token="token"), **account)
    client = TwilioClient(
        accounts={ACCOUNT: known}, secret=SECRET, public_base_url="https://overture.example", timeout=SHORT
    )
    try:
        yield client
    finally:
        await client.aclose()


async def outcome_of_send(*answers: Answer) -> tuple[Accepted | Failure, Peer]:
    async with peer(*answers) as told, client_of(told.url) as client:
        try:
            return await client.send(OUTGOING), told
        except Failure as failure:
            return failure, told


async def test_a_message_is_posted_as_twilio_wants_it() -> None:
    outcome, told = await outcome_of_send(http(201, CREATED))
    assert outcome == Accepted(sid=SID, status=DeliveryStatus.QUEUED, segments=2)
    line, headers, body = told.requests[0]
    assert line == f"POST /2010-04-01/Accounts/{ACCOUNT}/Messages.json HTTP/1.1"
    assert headers["authorization"] == "Basic " + base64.b64encode(f"{ACCOUNT}:token".encode()).decode()
    assert headers["content-type"] == "application/x-www-form-urlencoded"
    sent = dict(parse_qsl(body.decode(), strict_parsing=True))
    status_callback = sent.pop("StatusCallback")
    assert sent == {
        "To": "+15559876543",
        "From": "+15550001111",
        "ValidityPeriod": "1800",
        "Body": "Hé & how are you? 😀",
    }
    assert status_callback.startswith("https://overture.example/webhooks/twilio/status?m=0190-m&a=2&v=")
    assert status_callback.endswith("#rc=3&rp=ct,rt,5xx")
    assert callback.read_query(urlsplit(status_callback).query, SECRET) == ("0190-m", 2)


async def test_a_template_goes_with_its_variables_as_json_text() -> None:
    template = Template(content_sid="HX1", variables={"1": "Ada", "2": "3"})
    outgoing = Outgoing(
        message_id="m", attempt=1, account_sid=ACCOUNT, sender="whatsapp:+15550001111", to="whatsapp:+15559876543",
        body=template, validity_seconds=60, messaging_service_sid="MG1",
    )  # fmt: skip
    async with peer(http(201, CREATED)) as told, client_of(told.url) as client:
        await client.send(outgoing)
    sent = dict(parse_qsl(told.requests[0][2].decode()))
    assert sent["ContentSid"] == "HX1"
    assert json.loads(sent["ContentVariables"]) == {"1": "Ada", "2": "3"}
    assert sent["MessagingServiceSid"] == "MG1"
    assert sent["From"] == "whatsapp:+15550001111"
    assert "Body" not in sent


@pytest.mark.parametrize(("seconds", "sent"), [(0, "1"), (-5, "1"), (14_400, "14400"), (3 * 86_400, "36000")])
async def test_a_message_is_valid_as_long_as_twilio_can_hold_one(seconds: int, sent: str) -> None:
    outgoing = structs.replace(OUTGOING, validity_seconds=seconds)
    async with peer(http(201, CREATED)) as told, client_of(told.url) as client:
        await client.send(outgoing)
    assert dict(parse_qsl(told.requests[0][2].decode()))["ValidityPeriod"] == sent


async def test_an_api_key_logs_in_instead_of_the_auth_token() -> None:
    async with (
        peer(http(201, CREATED)) as told,
        client_of(told.url, api_key_sid="SK1", api_key_secret="s") as client,
    ):
        await client.send(OUTGOING)
    assert told.requests[0][1]["authorization"] == "Basic " + base64.b64encode(b"SK1:s").decode()


def problem(code: int, status: int = 400) -> Answer:
    return http(status, json.dumps({"code": code, "message": "Told", "status": status, "more_info": "https://x"}))


@pytest.mark.promise("P9")
@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (problem(20429, 429), Transient, "twilio_20429"),
        (http(429, "<html>slow down</html>"), Transient, "twilio_20429"),
        (problem(21611), Transient, "twilio_21611"),
        (problem(21211), Permanent, "twilio_21211"),
        (problem(21610), Permanent, "twilio_21610"),
        (problem(21999), Permanent, "twilio_21999"),
        (problem(21408), Permanent, "twilio_21408"),
        (problem(20003, 401), Misconfigured, "twilio_20003"),
        (problem(21606), Misconfigured, "twilio_21606"),
        (problem(20404, 404), Misconfigured, "twilio_20404"),
        (http(401, "<html>"), Misconfigured, "twilio_http_401"),
        (http(404, ""), Misconfigured, "twilio_http_404"),
        (http(307, "", Location="http://127.0.0.1:1/"), Misconfigured, "twilio_http_307"),
        (http(400, "[]"), Permanent, "twilio_http_400"),
        (http(413, b"\xff\xfe"), Permanent, "twilio_http_413"),
        (truncated(400, b'{"code": 21'), Permanent, "twilio_http_400"),
        (http(500, json.dumps({"code": 20500})), OutcomeUnknown, "twilio_http_500"),
        (http(503, "<html><h1>503</h1></html>"), OutcomeUnknown, "twilio_http_503"),
        (http(502, ""), OutcomeUnknown, "twilio_http_502"),
        (truncated(500, b"{"), OutcomeUnknown, "twilio_http_500"),
        (http(204, ""), OutcomeUnknown, "twilio_http_204"),
        (http(202, CREATED), OutcomeUnknown, "twilio_http_202"),
        (http(408, ""), OutcomeUnknown, "twilio_http_408"),
        (truncated(201, CREATED.encode()[:20]), OutcomeUnknown, "twilio_unreadable"),
        (http(201, ""), OutcomeUnknown, "twilio_unreadable"),
        (http(201, "[" * 100_000), OutcomeUnknown, "twilio_unreadable"),
        (http(201, '{"sid": "SM123"}'), OutcomeUnknown, "twilio_unreadable"),
        (http(201, '{"sid": 5}'), OutcomeUnknown, "twilio_unreadable"),
        (http(201, b"\xff\xff"), OutcomeUnknown, "twilio_unreadable"),
        (http(201, "x", Content_Encoding="gzip"), OutcomeUnknown, "twilio_unreadable"),
        (reset, OutcomeUnknown, "twilio_no_answer"),
        (silence, OutcomeUnknown, "twilio_no_answer"),
        (drip, OutcomeUnknown, "twilio_unreadable"),
    ],
)
async def test_every_answer_has_its_verdict(answer: Answer, kind: type[Failure], code: str) -> None:
    outcome, told = await outcome_of_send(answer)
    assert isinstance(outcome, kind), outcome
    assert outcome.code == code
    assert len(told.requests) == 1, "nothing is retried inside"


@pytest.mark.promise("P9")
async def test_a_refused_connection_was_never_a_message() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        async with client_of(f"http://127.0.0.1:{unused.getsockname()[1]}") as client:
            with pytest.raises(Transient):
                await client.send(OUTGOING)


@pytest.mark.promise("P9")
async def test_a_name_that_does_not_resolve_was_never_a_message() -> None:
    async with client_of("http://nobody.invalid") as client:
        with pytest.raises(Transient):
            await client.send(OUTGOING)


@pytest.mark.promise("P9")
async def test_a_failed_tls_handshake_was_never_a_message() -> None:
    async with peer(reset) as told, client_of(told.url.replace("http:", "https:")) as client:
        with pytest.raises(Transient):
            await client.send(OUTGOING)
    assert told.requests == []


async def test_a_connection_that_never_comes_about_was_never_a_message() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        address = deaf.getsockname()
        fillers = [socket.socket() for _ in range(8)]  # a full backlog drops the next connection's first packet
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            async with client_of(f"http://127.0.0.1:{address[1]}") as client:
                with pytest.raises(Transient):
                    await client.send(OUTGOING)
        finally:
            for filler in fillers:
                filler.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7.0),
        ({"Retry_After": "0.5"}, 0.5),
        ({"Retry_After": "9999999"}, 3600.0),
        ({"Retry_After": "inf"}, 3600.0),
        ({"Retry_After": "nan"}, None),
        ({"Retry_After": "-1"}, None),
        ({"Retry_After": "soon"}, None),
        ({"Retry_After": "Sun, 22 Nov 2026 10:00:30 GMT", "Date": "Sun, 22 Nov 2026 10:00:00 GMT"}, 30.0),
        ({}, None),
    ],
)
async def test_a_pause_that_the_provider_asks_for_is_told(headers: dict[str, str], seconds: float | None) -> None:
    outcome, _ = await outcome_of_send(http(429, "", **headers))
    assert isinstance(outcome, Transient)
    assert outcome.retry_after_seconds == seconds


async def test_a_base_url_that_is_none_is_the_operators_to_correct() -> None:
    async with client_of("http://[broken") as client:
        with pytest.raises(Misconfigured):
            await client.send(OUTGOING)


async def test_an_account_without_credentials_is_the_operators_to_set_up() -> None:
    client = TwilioClient(accounts={}, secret=SECRET)
    with pytest.raises(Misconfigured):
        await client.send(OUTGOING)
    await client.aclose()


async def test_cancelling_a_send_is_clean() -> None:
    async with peer(silence) as told, client_of(told.url) as client:
        sending = asyncio.create_task(client.send(OUTGOING))
        await asyncio.wait_for(told.landed.wait(), 5)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending


def record(n: int, **changes: str | int | None) -> dict[str, str | int | None]:
    return {
        "sid": f"SM{n:032x}", "from": "+15550001111", "to": "+15559876543", "body": f"message {n}",
        "direction": "outbound-api", "status": "delivered", "error_code": None,
        "date_created": f"Thu, 24 Aug 2023 05:01:{59 - n:02d} +0000",
    } | changes  # fmt: skip


def page(records: list[dict[str, str | int | None]], following: str | None = None) -> Answer:
    return http(200, json.dumps({"messages": records, "next_page_uri": following, "page": 0}))


FOLLOWING = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json?PageSize=2&Page=1&PageToken=PASM1"


async def test_messages_between_two_are_listed_over_pages_newest_first() -> None:
    pages = [page([record(0), record(1)], FOLLOWING), page([record(2), record(3)])]
    between = {"sender": "whatsapp:+15550001111", "to": "whatsapp:+15559876543"}
    async with peer(*pages) as told, client_of(told.url) as client:
        found = [one.body async for page in client.list_pages(ACCOUNT, page_size=2, **between) for one in page.messages]
    assert found == ["message 0", "message 1", "message 2", "message 3"]
    first = urlsplit(told.requests[0][0].split()[1])
    asked = {"To": ["whatsapp:+15559876543"], "From": ["whatsapp:+15550001111"], "PageSize": ["2"]}
    assert parse_qs(first.query) == asked
    assert told.requests[1][0].split()[1] == FOLLOWING


async def test_a_record_is_told_in_our_words() -> None:
    records = [
        record(0, direction="inbound", status="received", body=None),
        record(1, status="undelivered", error_code="30003", **{"from": None}),
        record(2, status="banana", error_code=63016, date_created="Thu, 24 Aug 2023 07:01:57 +0200"),
    ]
    async with peer(page(records)) as told, client_of(told.url) as client:
        [only] = [one async for one in client.list_pages(ACCOUNT, page_size=10, to="+15559876543")]
    found = only.messages
    assert found[0] == ProviderMessage(
        sid=f"SM{0:032x}", sender="+15550001111", to="+15559876543", body="", inbound=True,
        status=DeliveryStatus.RECEIVED, created_at=datetime(2023, 8, 24, 5, 1, 59, tzinfo=UTC),
    )  # fmt: skip
    assert (found[1].sender, found[1].error_code, found[1].status) == ("", 30003, DeliveryStatus.UNDELIVERED)
    assert (found[2].error_code, found[2].created_at) == (63016, datetime(2023, 8, 24, 5, 1, 57, tzinfo=UTC))


async def test_an_account_s_messages_come_page_by_page_as_long_as_they_are_asked_for() -> None:
    further = FOLLOWING.replace("Page=1", "Page=2")
    pages = [page([record(0), record(1)], FOLLOWING), page([record(2)], further), page([record(3)], None)]
    async with peer(*pages) as told, client_of(told.url) as client:
        walk = client.list_pages(ACCOUNT, page_size=2)
        first = await anext(walk)
        assert [message.body for message in first.messages] == ["message 0", "message 1"]
        assert not first.is_last
        assert len(told.requests) == 1
        rest = [(len(one.messages), one.is_last) async for one in walk]
    assert rest == [(1, False), (1, True)]
    assert "PageSize=2" in told.requests[0][0]


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (["Thu, 24 Aug 2023 05:01:59 +0000", "nonsense"], [59, 59]),
        (["", "Thu, 24 Aug 2023 05:01:58 +0000"], [58, 58]),
        (["Thu, 24 Aug 2023 05:01:59 +0000", "99 Aug 99999", "Thu, 24 Aug 2023 05:01:57 +0000"], [59, 59, 57]),
    ],
)
async def test_a_record_without_a_date_that_can_be_read_has_its_neighbours(dates: list[str], read: list[int]) -> None:
    records = [record(n, date_created=date) for n, date in enumerate(dates)]
    async with peer(page(records)) as told, client_of(told.url) as client:
        [only] = [one async for one in client.list_pages(ACCOUNT, page_size=10)]
    assert [message.created_at.second for message in only.messages] == read


@pytest.mark.parametrize(
    "answers",
    [
        [page([record(0, date_created="yesterday")])],
        [page([record(0)], FOLLOWING), page([record(1)], FOLLOWING)],  # round in a circle
        [page([record(0)], FOLLOWING), http(500, "")],
        [page([record(0)], "https://evil.example/steal")],
    ],
)
async def test_pages_that_cannot_be_read_to_their_end_may_be_asked_again(answers: list[Answer]) -> None:
    async with peer(*answers, *answers) as told, client_of(told.url) as client:
        with pytest.raises(Transient):
            async for _ in client.list_pages(ACCOUNT, page_size=10):
                pass


@pytest.mark.parametrize(
    "answer",
    [
        http(500, ""),
        http(429, "", Retry_After="3"),
        reset,
        silence,
        drip,
        truncated(200, b'{"messages": ['),
        http(200, "<html>"),
        http(200, "{}"),
        page([record(0, date_created="yesterday")]),
        page([record(0, date_created="")]),
        page([record(0)], "https://evil.example/steal"),
        page([record(0)], "/2010-04-01/Accounts/AC2/Messages.json"),
    ],
)
async def test_a_list_that_cannot_be_read_may_be_asked_again(answer: Answer) -> None:
    # an idempotent request may be repeated by the connection pool when a kept connection was closed
    async with peer(answer, answer) as told, client_of(told.url) as client:
        with pytest.raises(Transient):
            await anext(client.list_pages(ACCOUNT, page_size=10, to="+15559876543"))


async def test_one_message_is_fetched_or_known_to_be_none() -> None:
    async with peer(http(200, json.dumps(record(7))), problem(20404, 404)) as told, client_of(told.url) as client:
        found = await client.fetch(ACCOUNT, SID)
        assert found is not None
        assert found.body == "message 7"
        assert await client.fetch(ACCOUNT, SID) is None
        assert await client.fetch(ACCOUNT, "../../Accounts") is None
    assert len(told.requests) == 2


def test_an_account_shows_no_secret() -> None:
    shown = repr(TwilioAccount(sid=ACCOUNT, auth_token="hidden", api_key_sid="SK1", api_key_secret="hidden"))
    assert "hidden" not in shown
