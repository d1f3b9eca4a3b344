"""Tools reach the open internet and what the operator named, nothing else, whatever their servers do.

The addresses are the corpus of hostile ones: forms of loopback that readers of addresses disagree about, ranges that
are nobody's, names that lie, and ports where no web server listens.
"""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import abc, web

from overture.adapters.http_tool import LARGEST, HttpTools
from overture.domain import tool_address
from overture.domain.errors import Failure, Misconfigured, OutcomeUnknown, Permanent, Unreachable
from overture.domain.ports import ToolCaller
from overture.domain.tool import HttpAnswer, HttpRequest
from overture.domain.tool_address import NOWHERE, Reach
from tests.adapters.wire import Answer, drip, http, peer, reset, silence, truncated

LOOPBACK = Reach.read(("127.0.0.0/8",))


@asynccontextmanager
async def a_caller(reach: Reach = LOOPBACK, **given: Any) -> AsyncIterator[HttpTools]:
    caller = HttpTools(secrets={"CRM": "s3cret-of-crm"}, reach=reach, **given)
    try:
        yield caller
    finally:
        await caller.aclose()


async def call(
    url: str, method: str = "GET", *, reach: Reach = LOOPBACK, seconds: float = 2, **given: Any
) -> HttpAnswer:
    async with a_caller(reach) as caller:
        port: ToolCaller = caller
        return await port.call(HttpRequest(method=method, url=url, **given), timeout_seconds=seconds)


async def failure_of(url: str, method: str = "GET", **given: Any) -> Failure:
    with pytest.raises(Failure) as told:
        await call(url, method, **given)
    return told.value


class Names(abc.AbstractResolver):
    """A DNS server that answers as a test tells it, one list a question."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[abc.ResolveResult]:
        self.asked.append(host)
        return [
            abc.ResolveResult(hostname=host, host=address, port=port, family=socket.AF_INET, proto=0, flags=0)
            for address in self.answers.pop(0)
        ]

    async def close(self) -> None:
        """Nothing is open."""


HOSTILE = [
    # loopback, in every spelling
    "https://127.0.0.1/", "https://127.0.0.1:8443/", "https://127.1/", "https://2130706433/", "https://0x7f000001/",
    "https://0x7f.0.0.1/", "https://0x7f.1/", "https://017700000001/", "https://0177.0.0.1/", "https://127.0.0.1./",
    "https://0/", "https://0.0.0.0/", "https://localhost/", "https://localhost./", "https://LOCALHOST/",
    "https://x.localhost/", "https://[::1]/", "https://[::]/", "https://[::ffff:127.0.0.1]/",
    "https://[::ffff:7f00:1]/", "https://[0:0:0:0:0:ffff:7f00:1]/", "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/", "https://[::127.0.0.1]/", "https://[fe80::1%25lo]/", "https://[::1%25lo]/",
    # other networks of somebody's own, and ranges that are nobody's
    "https://10.0.0.1/", "https://172.16.0.1/", "https://192.168.1.1/", "https://100.64.0.1/", "https://169.254.169.254/",
    "https://192.0.0.192/", "https://198.18.0.1/", "https://224.0.0.1/", "https://240.0.0.1/", "https://255.255.255.255/",
    "https://[fc00::1]/", "https://[fe80::1]/", "https://[ff02::1]/", "https://[fd00:ec2::254]/",
    "https://[::ffff:169.254.169.254]/", "https://metadata.google.internal/", "https://printer.local/",
    "https://router.lan/", "https://intranet/", "https://nas.home.arpa/", "https://a.onion/",
    # hosts that are read in more than one way
    "https://api.example.com@127.0.0.1/", "https://user:pass@api.example.com/", "https://api.example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.example.com/", "https://127.0.0.1#@api.example.com/", "https://127\u30020\u30020\u30021/",
    "https://\uff11\uff12\uff17.0.0.1/", "https://loc\u0430lhost/", "https://\u2460\u2461\u2466.0.0.1/",
    "https://ex\u00adample.com/", "https://%31%32%37.0.0.1/", "https://api.example.com%2f@127.0.0.1/",
    "https://api.example.com%00.evil/", "https:///etc/passwd", "https://", "https://:443/", "https://./",
    "https://..example.com/", "https://-x.example.com/", "https://a..b/", "https://[127.0.0.1]/", "https://::1/",
    "https://[api.example.com]/", "https://{host}.example.com/", "https://api.{day}/", "https://<host>/",
    # ports where no web server listens
    "https://api.example.com:22/", "https://api.example.com:25/", "https://api.example.com:99999/",
    "https://api.example.com:-1/", "https://api.example.com:0/", "https://api.example.com:443x/",
    # other schemes, and lines that would end early
    "http://api.example.com/", "ftp://api.example.com/", "file:///etc/passwd", "gopher://api.example.com/", "//a.b/",
    "javascript:alert(1)", "data:text/html,x", "unix:///var/run/docker.sock", "HTTPS//api.example.com", "",
    "https://api.example.com/\r\nHost: evil", "https://api.example.com /", "https://api.example.com\t/",
    " https://api.example.com/", "https://api.exam\nple.com/", "https://api.example.com\x00/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE)
async def test_a_hostile_address_is_refused_before_anybody_is_asked(url: str) -> None:
    names = Names(["127.0.0.1"])
    async with a_caller(NOWHERE, names=names) as caller:
        with pytest.raises(Permanent) as refused:
            await caller.call(HttpRequest(method="GET", url=url), timeout_seconds=2)
    assert refused.value.code == "tool_address_refused"
    assert names.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/v1/x?y=z", "https://api.example.com:8443/", "https://xn--bcher-kva.example/",
        "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://a_b.example.com/",
    ],
)  # fmt: skip
def test_an_address_of_the_open_internet_is_not_refused(url: str) -> None:
    assert tool_address.objection(url, NOWHERE) is None


@pytest.mark.parametrize(
    ("listed", "url", "may"),
    [
        ("crm.internal", "http://crm.internal:8080/x", True),
        ("CRM.internal", "http://crm.Internal/", True),
        ("crm.internal", "http://crm.internal.evil.com/", False),
        ("crm.internal", "http://x.crm.internal/", False),
        ("10.0.0.0/8", "http://10.1.2.3:25/", True),
        ("10.0.0.0/8", "http://11.1.2.3/", False),
        ("127.0.0.1", "http://127.0.0.1:8000/", True),
        ("127.0.0.1", "http://127.0.0.2/", False),
        ("127.0.0.1", "http://2130706433/", False),
        ("fd00::/8", "http://[fd00::1]/", True),
        ("localhost", "http://localhost:3000/", True),
        ("localhost", "http://user@localhost:3000/", False),
    ],
)
def test_the_operator_names_what_may_be_reached_besides(listed: str, url: str, *, may: bool) -> None:
    assert (tool_address.objection(url, Reach.read((listed,))) is None) is may


@pytest.mark.parametrize(
    "answers",
    [["127.0.0.1"], ["10.0.0.5"], ["169.254.169.254"], ["8.8.8.8", "127.0.0.1"], ["192.0.0.192"], ["224.0.0.1"]],
)
async def test_a_name_that_leads_home_is_refused(answers: list[str]) -> None:
    async with peer(http(200, "{}")) as told, a_caller(NOWHERE, names=Names(answers)) as caller:
        with pytest.raises(Permanent):
            await caller.call(HttpRequest(method="GET", url=f"https://rebound.example:{told.port}/"), timeout_seconds=2)
        assert told.requests == []


async def test_a_name_that_leads_home_a_moment_later_gains_nothing() -> None:
    """Each connection asks anew, and goes where it was told: the second answer is checked as the first one was."""
    names = Names(["127.0.0.1"], ["10.0.0.5"])
    async with peer(http(200, "{}"), http(200, "{}")) as told, a_caller(LOOPBACK, names=names) as caller:
        wanted = HttpRequest(method="GET", url=f"https://rebound.example:{told.port}/")
        with pytest.raises(Failure):  # the peer speaks no TLS, but it was reached
            await caller.call(wanted, timeout_seconds=0.3)
        with pytest.raises(Permanent):
            await caller.call(wanted, timeout_seconds=0.3)
    assert names.asked == ["rebound.example"] * 2


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_an_answer_and_not_followed(status: int) -> None:
    async with peer(http(200, "home")) as home, peer(http(status, "", Location=home.url)) as told:
        assert (await call(told.url)).status == status
        assert home.requests == []


async def test_a_request_is_sent_as_it_was_built_with_its_secrets() -> None:
    async with peer(http(200, '{"a": 1}', Content_Type="application/json; charset=utf-8")) as told:
        answer = await call(
            told.url + "/a%2Fb?x=%0d%0a",
            "POST",
            headers={"Authorization": "Bearer {secret:CRM}", "Content-Type": "application/json"},
            body='{"x": "é"}',
        )
    assert answer == HttpAnswer(status=200, content_type="application/json", body=b'{"a": 1}')
    [(line, headers, body)] = told.requests
    assert line == "POST /a%2Fb?x=%0d%0a HTTP/1.1"
    assert headers["authorization"] == "Bearer s3cret-of-crm"
    assert headers["accept-encoding"] == "identity"
    assert json.loads(body) == {"x": "é"}


async def test_a_secret_that_a_server_echoes_is_taken_out_of_its_answer() -> None:
    async with peer(http(200, '{"you sent": "s3cret-of-crm"}', Content_Type="application/json")) as told:
        answer = await call(told.url, headers={"X-Key": "{secret:CRM}"})
    assert answer.body == b'{"you sent": "[secret]"}'


async def test_a_secret_that_is_not_set_stops_the_call() -> None:
    async with peer() as told:
        failure = await failure_of(told.url, headers={"X-Key": "{secret:OTHER}"})
    assert isinstance(failure, Misconfigured)
    assert "OVERTURE_SECRET_OTHER" in (failure.hint or "")
    assert told.requests == []


async def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with peer(http(200, "direct")) as told, peer(http(200, "by the proxy")) as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert (await call(told.url)).body == b"direct"
        assert proxy.requests == []


async def test_nobody_listening_is_certainly_not_done() -> None:
    async with peer() as told:
        port = told.port
    assert isinstance(await failure_of(f"http://127.0.0.1:{port}/", "POST"), Unreachable)


async def test_a_host_that_never_was_is_certainly_not_done() -> None:
    class Nobody(Names):
        async def resolve(self, host: str, port: int = 0, family: Any = socket.AF_INET) -> list[abc.ResolveResult]:
            raise OSError(-2, "Name or service not known")

    async with a_caller(NOWHERE, names=Nobody()) as caller:
        with pytest.raises(Unreachable):
            await caller.call(HttpRequest(method="POST", url="https://never.example.com/"), timeout_seconds=2)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("answer", [reset, silence], ids=["reset", "silence"])
async def test_what_breaks_after_it_was_sent_may_have_happened_and_is_sent_once(answer: Answer, method: str) -> None:
    async with peer(answer, http(200, "again")) as told:
        failure = await failure_of(told.url, method, seconds=0.3)
        assert isinstance(failure, OutcomeUnknown)
        assert len(told.requests) == 1


async def test_what_is_no_http_may_have_happened() -> None:
    async def nonsense(writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n\r\n")
        await writer.drain()

    async with peer(nonsense) as told:
        assert isinstance(await failure_of(told.url, "POST"), OutcomeUnknown)


@pytest.mark.parametrize(("answer", "status"), [(drip, 201), (truncated(200, b'{"a": '), 200)], ids=["drip", "cut"])
async def test_an_answer_that_breaks_off_still_has_its_status(answer: Answer, status: int) -> None:
    async with peer(answer) as told:
        got = await call(told.url, "POST", seconds=0.3)
    assert (got.status, got.is_whole) == (status, False)


async def test_five_megabytes_are_read_no_further_than_the_limit() -> None:
    sent = 0

    async def pour(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(5 * 64):
            await response.write(b"x" * 16 * 1024)
            sent += 16 * 1024
        return response

    app = web.Application()
    app.router.add_get("/", pour)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        [(host, port)] = runner.addresses
        got = await call(f"http://{host}:{port}/", seconds=10)
    finally:
        await runner.cleanup()
    assert (got.status, len(got.body), got.is_whole) == (200, LARGEST, False)
    assert sent < 5 * 1024 * 1024


async def test_a_packed_answer_is_not_unpacked() -> None:
    async with peer(http(200, b"\x1f\x8b" + b"x" * 50, Content_Encoding="gzip")) as told:
        got = await call(told.url)
    assert not got.is_whole
    assert got.body.startswith(b"\x1f\x8b")


def test_a_caller_shows_no_secret() -> None:
    assert "s3cret" not in repr(HttpTools(secrets={"CRM": "s3cret"}, reach=NOWHERE))
