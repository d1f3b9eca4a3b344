"""Handset in pytest: `handset` is a running one, `phone` a handset in somebody's hand, `faults` makes things go wrong.

    def test_a_greeting_is_answered(phone):
        ada = phone("+15550100001")
        ada.types("hello")
        ada.expects("Good morning", within=5)

Nothing of Handset is imported before a test asks for one of these. A fixture of the same name in a conftest.py wins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from handset.blocking import BlockingHandset

WITHIN_SECONDS = 5.0  # how long a message may take if a test does not say
SILENCE_SECONDS = 0.5  # longer than the carrier's first step; a message that was sent would have shown


def pytest_addoption(parser: pytest.Parser) -> None:
    """The setting of the plugin."""
    parser.addini(
        "handset_config", "a JSON file with Handset's configuration, beside the settings of pytest", default=""
    )


def pytest_configure(config: pytest.Config) -> None:
    """The marker of the plugin."""
    config.addinivalue_line("markers", "handset(**parts): parts of Handset's configuration for this test")


class Phone:
    """A handset in somebody's hand."""

    def __init__(self, address: str, handset: BlockingHandset) -> None:
        self.address = address
        self._handset = handset
        self._seen: set[str] = set()

    @property
    def received(self) -> list[str]:
        """The texts that reached it, oldest first."""
        return self._handset.received_by(self.address)

    def types(self, text: str, *, to: str | None = None, fields: dict[str, str] | None = None) -> str:
        """Type a message to one of our senders, by default the first of this phone's channel; its SID."""
        return self._handset.types(self.address, to or self._sender(), text, fields=fields)

    def expects(self, text: str, *, within: float = WITHIN_SECONDS) -> dict[str, Any]:
        """Wait for a message with this text in it, one that no earlier call has had; fail after so many seconds."""
        __tracebackhide__ = True
        found = self._handset.waits_for_text(self.address, text=text, seen=self._seen, within=within)
        if found is None:
            pytest.fail(f"{self.address} got nothing with {text!r} within {within:g} s. It got: {self.received}")
        self._seen.add(found["sid"])
        return found

    def expects_nothing(self, *, within: float = SILENCE_SECONDS) -> None:
        """Fail if anything reaches it that no earlier call of `expects` has had."""
        __tracebackhide__ = True
        found = self._handset.waits_for_text(self.address, text="", seen=self._seen, within=within)
        if found is not None:
            pytest.fail(f"{self.address} expected nothing and got {found['body']!r}")

    def _sender(self) -> str:
        whatsapp = self.address.startswith("whatsapp:")
        own = [number.address for number in self._handset.config.numbers]
        fitting = [address for address in own if address.startswith("whatsapp:") == whatsapp]
        if not fitting:
            pytest.fail(f"no sender of {self.address}'s channel is among the numbers: {own}")
        return fitting[0]


class Faults:
    """What goes wrong on purpose in one test."""

    def __init__(self, handset: BlockingHandset) -> None:
        self._handset = handset

    def __call__(self, kind: str, **fields: Any) -> str:
        """Let a rule stand: a kind and its fields, or a short name such as `refused:21610`; its id."""
        [identifier] = self._handset.faults({"kind": kind, **fields} if fields else kind)
        return identifier

    def lift(self, *ids: str) -> None:
        """End these rules; all of them if none is named."""
        self._handset.lift_faults(*ids)

    @property
    def acts(self) -> list[dict[str, Any]]:
        """Every fault that acted, oldest first."""
        return self._handset.acts()


@pytest.fixture
def handset_config(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The configuration: that of the setting `handset_config`, and over it the parts that markers name.

    Override it where addresses are known at run time alone.
    """
    import msgspec

    named = request.config.getini("handset_config")
    config: dict[str, Any] = {}
    if named:
        path = (request.config.inipath.parent if request.config.inipath else Path.cwd()) / str(named)
        config = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    for marker in reversed(list(request.node.iter_markers("handset"))):  # the closest one last: it wins
        config |= marker.kwargs
    return config


@pytest.fixture
def handset(handset_config: dict[str, Any]) -> Iterator[BlockingHandset]:
    """A running Handset, fresh for each test; `handset.base_url` stands in for https://api.twilio.com."""
    from handset.blocking import running_in_a_thread

    with running_in_a_thread(handset_config) as running:
        yield running


@pytest.fixture
def phone(handset: BlockingHandset) -> Callable[[str], Phone]:
    """Gives the handset of an address."""
    phones: dict[str, Phone] = {}

    def of(address: str) -> Phone:
        return phones.setdefault(address, Phone(address, handset))

    return of


@pytest.fixture
def faults(handset: BlockingHandset) -> Faults:
    """Makes things go wrong."""
    return Faults(handset)
