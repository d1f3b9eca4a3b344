"""What a sender is shows in its address."""

import pytest

from overture.domain.sender import SenderKind, kind_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("+15550001111", SenderKind.LONG_CODE),
        ("+442079460958", SenderKind.LONG_CODE),
        ("+18005551212", SenderKind.TOLL_FREE),
        ("+18885551212", SenderKind.TOLL_FREE),
        ("+18015551212", SenderKind.LONG_CODE),
        ("+448005551212", SenderKind.LONG_CODE),  # free in Britain, not of the American network
        ("22395", SenderKind.SHORT_CODE),
        ("123", SenderKind.SHORT_CODE),
        ("whatsapp:+18005551212", SenderKind.WHATSAPP),
    ],
)
def test_a_sender_s_kind_is_told_by_its_address(address: str, kind: SenderKind) -> None:
    assert kind_of(address) is kind
