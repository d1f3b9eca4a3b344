"""Write down what the provider sent for a sender and we know nothing of: a line each, with a try that has its SID.

So it is known from then on: whoever meets the SID again finds it claimed, and its statuses are recorded.
"""

from collections.abc import Sequence
from datetime import datetime

from overture.domain.ids import shard_of
from overture.domain.message import Author, Direction, Text
from overture.domain.ports import Ids, ProviderMessage
from overture.domain.sending import Priority
from overture.store import attempts, conversations, messages
from overture.store.engine import Writing


async def write_down(
    tx: Writing,
    key: tuple[str, str],
    said: Sequence[ProviderMessage],
    *,
    account_sid: str,
    thread_id: str,
    author: Author,
    now: datetime,
    ids: Ids,
) -> list[messages.NewMessage]:
    """Write lines into a (workspace, conversation), oldest first; nobody answers them. The caller commits.

    It is not read: people who find that they cannot either find what was said there.
    """
    workspace_id, conversation_id = key
    shard = shard_of(conversation_id)
    lines = []
    for one in said:
        seq, epoch = (await conversations.note(tx, [key], now))[key]
        line = messages.NewMessage(
            id=ids.new(one.created_at, shard),
            workspace_id=workspace_id,
            conversation_id=conversation_id,
            seq=seq,
            shard=shard,
            direction=Direction.OUT,
            author=author,
            body=Text(text=in_words(one)),
            status=one.status,
            provider_sid=one.sid,
        )
        await messages.insert_all(tx, [line], now=one.created_at)
        await _claim(tx, line, one, account_sid=account_sid, thread_id=thread_id, epoch=epoch)
        lines.append(line)
    return lines


async def _claim(
    tx: Writing, line: messages.NewMessage, said: ProviderMessage, *, account_sid: str, thread_id: str, epoch: int
) -> None:
    """Give a line the try that it was sent with, which the provider took."""
    tried = attempts.NewAttempt(
        message_id=line.id,
        number=1,
        shard=line.shard,
        workspace_id=line.workspace_id,
        account_sid=account_sid,
        conversation_id=line.conversation_id,
        seq=line.seq,
        thread_id=thread_id,
        epoch=epoch,
        priority=Priority.REPLY,
        confirms_opt_out=False,
    )
    await attempts.insert_all(tx, [tried], said.created_at)
    accepted = attempts.Finished(
        message_id=line.id,
        number=1,
        shard=line.shard,
        state=attempts.AttemptState.ACCEPTED,
        sid=said.sid,
        status=said.status.value,
        error_code=said.error_code,
    )
    await attempts.finish(tx, [accepted], said.created_at)


def in_words(message: ProviderMessage) -> str:
    """What a person reads of a record: files by their number, then the text, without what no database may hold."""
    return " ".join([*["[file]"] * message.media, message.body.replace("\0", "")]).strip()
