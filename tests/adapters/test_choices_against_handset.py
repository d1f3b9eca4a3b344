"""Choices on a simulated phone: what is offered can be tapped, and what is tapped comes back as the choice."""

import pytest
from msgspec import structs

from overture.domain.message import Text
from overture.domain.ports import Inbound
from tests.adapters.test_against_handset import ADA, INBOUND, OURS, _inbound, meeting, outgoing

ADDRESS = f"whatsapp:{ADA}"


@pytest.mark.parametrize("options", [("Monday", "Tuesday"), ("Mo", "Tu", "We", "Th", "Fr")])
async def test_a_choice_is_tapped_and_comes_back_as_what_was_offered(options: tuple[str, ...]) -> None:
    async with meeting() as (handset, receiver, client, webhooks):
        await handset.types(ADDRESS, f"whatsapp:{OURS}", "hello")
        body = Text(text="Which day?", options=options)
        accepted = await client.send(structs.replace(outgoing(handset, ADDRESS, ""), body=body))
        await handset.wait_for_status(accepted.sid, "delivered")
        assert await handset.received_by(ADDRESS) == ["Which day?"]
        await handset.taps(accepted.sid, options[1])
        await handset.wait_for(lambda: len(receiver.at(INBOUND)) >= 2)
        read = [webhooks.parse_inbound(_inbound(webhooks, told)) for told in receiver.at(INBOUND)]
        [tap] = [one for one in read if one.button_payload is not None]
        assert isinstance(tap, Inbound)
        assert (tap.text, tap.button_payload, tap.replied_to_sid) == (options[1], options[1], accepted.sid)


async def test_typing_is_shown_for_a_message_of_a_phone() -> None:
    async with meeting() as (handset, _, client, _):
        sid = await handset.types(ADDRESS, f"whatsapp:{OURS}", "hello")
        await client.show_typing(handset.account_sid, sid)
