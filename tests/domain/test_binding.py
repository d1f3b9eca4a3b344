"""How a copy of a database is told from the original: by the public URLs that it is served under."""

import pytest

from overture.domain import binding

A, B, C = "https://a.example", "https://b.example/path", "http://203.0.113.9:8080"
HERE = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("bound", "served", "copy"),
    [
        ([], [], False),
        ([], [A], False),
        ([], [HERE], False),
        ([A], [A], False),
        ([A], ["https://A.Example/"], False),
        ([A], [B, A], False),  # the host name moves: both are known for a while
        ([A, B], [B], False),
        ([A], [B], True),
        ([B], ["https://b.example"], True),
        ([A], ["http://a.example"], True),
        ([A], [], True),  # taken to a desk, without a public URL
        ([A], [HERE], True),
        ([C], ["http://203.0.113.9:8081"], True),
        ([C], [C], False),
    ],
)
def test_a_database_served_under_none_of_its_urls_is_a_copy(bound: list[str], served: list[str], copy: bool) -> None:
    assert binding.is_copy(bound, served) is copy


@pytest.mark.parametrize(
    "url",
    [HERE, "http://localhost:1", "https://LOCALHOST", "http://[::1]:80", "http://127.9.9.9", "http://me.localhost"],
)
def test_an_address_of_loopback_binds_nothing(url: str) -> None:
    assert binding.binding_urls([url, A, url, A]) == (A,)
