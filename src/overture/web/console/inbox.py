"""The inbox: who waits for a person, what was said, and a box to write in. Plain pages, forms, and one small script."""

from collections.abc import Mapping
from secrets import token_hex
from typing import Final, Literal
from urllib.parse import parse_qsl, quote, urlsplit

from overture.actions import in_hand
from overture.actions.close_conversation import close_conversation
from overture.actions.take_over import take_over
from overture.domain.access import Scope
from overture.domain.conversation import Mode
from overture.domain.errors import Forbidden, Invalid, Problem, Refusal, Unauthenticated
from overture.domain.message import Direction
from overture.store import deliveries, messages, people
from overture.store.engine import Reading
from overture.web.api import people as people_api
from overture.web.api.conversations import MessageView, view_of_message
from overture.web.api.people_shapes import ConversationView, WriteMessage, view_of
from overture.web.console import session as sessions
from overture.web.console.session import Session
from overture.web.console.showing import lead_to, page
from overture.web.errors import tell
from overture.web.routes import Answer, Call, Door, get, post

_HOME: Final = "/inbox"
_LIVE: Final = 100
_LINES: Final = 200  # of a conversation, the last ones
_AFTER_ALL: Final = 2**31 - 1
_FORM: Final = 64 * 1024
_LONGEST: Final = 10_000


@get(_HOME, may=Door.SESSION, gives=str, media="text/html", tag="Inbox")
async def show_inbox(call: Call[None, None]) -> Answer:
    """Show who waits for a person, and every live conversation.

    Who has not signed in is asked for a key with the scope `read`; to act it needs `send` as well.
    """
    who = await sessions.find(call.doorkeeper, call.headers, call.now)
    if who is None:
        return page("sign_in.html", wrong=None, name="")
    workspace_id = who.principal.workspace_id

    async def look(tx: Reading) -> tuple[list[people.Shown], list[people.Shown], dict[str, messages.Message]]:
        waiting = await people.list_waiting(tx, workspace_id, after=None, limit=_LIVE)
        live = await people.list_page(tx, workspace_id, mode=None, is_live=True, before=None, limit=_LIVE)
        keys = [(workspace_id, one.id, one.last_seq) for one in (*waiting, *live)]
        last = await messages.find_all(tx, keys)
        return waiting, live, {one.conversation_id: one for one in last.values()}

    waiting, live, last = await call.parts.store.read(look)
    there = {one.id for one in waiting}
    return page(
        "inbox.html",
        who=who,
        waiting=[view_of(one, call.now) for one in waiting],
        live=[view_of(one, call.now) for one in live if one.id not in there],
        last=last,
        now=call.now,
        most=_LIVE,
    )


@post("/inbox/sign-in", may=Door.SESSION, takes=bytes, gives=str, media="text/html", tag="Inbox", body_limit=_FORM)
async def sign_in(call: Call[bytes, None]) -> Answer:
    """Sign in with an API key.

    It is not kept: a cookie that names it lasts for twelve hours, or as long as the key.
    """
    form = _form(call.raw)
    key, name = form.get("key", "").strip(), " ".join(form.get("name", "").split())[: sessions.LONGEST_NAME]
    try:
        if call.doorkeeper is None or not key.isascii():
            raise Unauthenticated("key_invalid", "This is no key of this server.")
        headers = {b"authorization": b"Bearer " + key.encode()}
        principal = await call.doorkeeper.admit(Scope.READ, headers, call.client, call.now)
        secure = _is_secure(call)
        cookie = await sessions.begin(call.doorkeeper, principal, name, call.now, secure=secure)
        if cookie is None:
            raise Unauthenticated("key_invalid", "Nobody signs in here without a key.")
    except Refusal as refused:
        return page("sign_in.html", _status(refused, call), wrong=_in_words(refused), name=name)
    return lead_to(_HOME, cookie)


@post("/inbox/sign-out", may=Door.SESSION, takes=bytes, gives=str, media="text/html", tag="Inbox", body_limit=_FORM)
async def sign_out(call: Call[bytes, None]) -> Answer:
    """Sign out."""
    who = await sessions.find(call.doorkeeper, call.headers, call.now)
    if who is None or not sessions.is_of(who, _form(call.raw).get("token", "")):
        return lead_to(_HOME)
    return lead_to(_HOME, sessions.end(secure=_is_secure(call)))


@get("/inbox/{conversation_id}", may=Door.SESSION, gives=str, media="text/html", tag="Inbox")
async def show_conversation(call: Call[None, None]) -> Answer:
    """Show a conversation: what was said, what became of it, and what a person may do."""
    who = await sessions.find(call.doorkeeper, call.headers, call.now)
    return lead_to(_HOME) if who is None else await _conversation(call, who)


@post(
    "/inbox/{conversation_id}/{verb}",
    may=Door.SESSION,
    takes=bytes,
    gives=str,
    media="text/html",
    tag="Inbox",
    body_limit=_FORM,
)
async def act_in_inbox(call: Call[bytes, None]) -> Answer:
    """Take over, write, hand back or end, by the form of a conversation's page."""
    who = await sessions.find(call.doorkeeper, call.headers, call.now)
    if who is None:
        return lead_to(_HOME)
    form = _form(call.raw)
    try:
        if not sessions.is_of(who, form.get("token", "")):
            raise Forbidden("form_foreign", "This form is not of your session.", hint="Send it again from here.")
        if not who.may_act:
            raise Forbidden("scope_missing", "The key that you signed in with may only look.", hint="It needs send.")
        await _do(call, who, form)
    except Refusal as refused:
        return await _conversation(call, who, refused=refused, text=form.get("text", ""))
    an_id = call.path["conversation_id"]
    return lead_to(_HOME if call.path["verb"] == "end" else f"{_HOME}/{quote(an_id, safe='')}")


async def _do(call: Call[bytes, None], who: Session, form: Mapping[str, str]) -> None:
    workspace_id, an_id = who.principal.workspace_id, call.path["conversation_id"]
    by = who.name or people_api.who(who.principal)
    match call.path["verb"]:
        case "take-over":
            await call.parts.store.write(
                lambda tx: take_over(
                    tx, workspace_id=workspace_id, conversation_id=an_id, by=by, now=call.now, ids=call.parts.ids
                )
            )
        case "write":
            text = form.get("text", "")
            if len(text) > _LONGEST:
                raise Invalid("message_too_long", f"The text has more than {_LONGEST} characters.", field="text")
            asked = WriteMessage(text=text.replace("\r\n", "\n").replace("\0", ""), take_over=True, by=by)
            key = form.get("once") or None
            message = people_api.to_message(workspace_id, an_id, by, asked, key and f"inbox {key[:64]}")
            await people_api.write(call.parts, message)
        case "hand-back":
            await people_api.give_back(call.parts, who.principal, an_id, by=by, say=None)
        case "end":
            await call.parts.store.write(
                lambda tx: close_conversation(
                    tx,
                    workspace_id=workspace_id,
                    conversation_id=an_id,
                    by=by,
                    reason=None,
                    now=call.now,
                    ids=call.parts.ids,
                )
            )
        case verb:
            raise Invalid("verb_unknown", f"Nobody can {verb[:40]} a conversation.", field="verb")


async def _conversation(
    call: Call[object, None] | Call[None, None] | Call[bytes, None],
    who: Session,
    *,
    refused: Refusal | None = None,
    text: str = "",
) -> Answer:
    """A conversation's page, with what was refused and what had been typed."""
    an_id = call.path["conversation_id"]

    async def look(tx: Reading) -> tuple[ConversationView, list[MessageView]] | None:
        found = await people.find(tx, who.principal.workspace_id, an_id)
        if found is None:
            return None
        lines = await messages.list_before(tx, who.principal.workspace_id, an_id, _AFTER_ALL, _LINES)
        courses = await deliveries.read_courses(tx, [one.id for one in lines if one.direction is Direction.OUT])
        none = deliveries.Course()
        return view_of(found, call.now), [view_of_message(one, courses.get(one.id, none), call.now) for one in lines]

    found = await call.parts.store.read(look)
    if found is None:
        gone = in_hand.unknown(an_id)
        return page("conversation.html", 404, who=who, one=None, lines=[], wrong=gone.description)
    one, lines = found
    return page(
        "conversation.html",
        200 if refused is None else _status(refused, call),
        who=who,
        one=one,
        lines=lines,
        wrong=None if refused is None else _in_words(refused),
        text=text,
        carries=_carries(one),
        once=token_hex(16),
    )


def _carries(one: ConversationView) -> Literal["agent", "person", "nobody", "ended"]:
    match one.mode:
        case Mode.BOT:
            return "agent"
        case Mode.ENDED:
            return "ended"
        case Mode.HUMAN | Mode.PAUSED:
            return "nobody" if one.taken_by is None else "person"


def _form(raw: bytes) -> dict[str, str]:
    """The fields of a form; of a field that comes twice, the last."""
    try:
        return dict(parse_qsl(raw.decode(), keep_blank_values=True, max_num_fields=20))
    except ValueError:
        return {}


def _is_secure(call: Call[bytes, None]) -> bool:
    """Whether this server is known under https by the name it was called by."""
    host = call.headers.get(b"host", b"").decode("latin-1")
    return any(url.startswith("https:") and urlsplit(url).netloc == host for url in call.parts.public_urls)


def _in_words(problem: Problem) -> str:
    return f"{problem.description} {problem.hint or ''}".strip()


def _status(refused: Refusal, call: Call[object, None] | Call[None, None] | Call[bytes, None]) -> int:
    return tell(refused, path=_HOME, in_path=call.path, request_id="", now=call.now).status
