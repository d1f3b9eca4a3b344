"""What a person does with a conversation in tests: takes it, gives it back, ends it."""

from overture.actions.end_conversation import end_conversation
from overture.actions.hand_back import HandedBack, hand_back
from overture.actions.take_over import TakenOver, take_over
from overture.domain.agent import EndReason
from tests.world import WORKSPACE, World


async def takes(world: World, an_id: str) -> TakenOver:
    return await world.store.write(
        lambda tx: take_over(
            tx, workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", now=world.clock.now(), ids=world.ids
        )
    )


async def gives_back(world: World, an_id: str) -> HandedBack:
    return await world.store.write(
        lambda tx: hand_back(
            tx, workspace_id=WORKSPACE, conversation_id=an_id, by="Bo", now=world.clock.now(), ids=world.ids
        )
    )


async def ends(world: World, an_id: str) -> None:
    await world.store.write(
        lambda tx: end_conversation(
            tx,
            workspace_id=WORKSPACE,
            conversation_id=an_id,
            reason=EndReason.CANCELLED,
            now=world.clock.now(),
            ids=world.ids,
        )
    )
