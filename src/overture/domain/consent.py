"""What a contact's words mean for consent, before any agent sees them.

On SMS the carrier or Twilio acts on a fixed list of words whatever the agent meant by its question, so we must read
them the same way. On WhatsApp nobody acts but us, and words that answer questions (cancel, end, quit) are left to the
agent. A keyword is the whole message. Sources: Twilio's opt-out keywords for each kind of sender (REVOKE and OPTOUT
since May 2025), and the FCC's rule of April 2025 that a wish to stop counts in any reasonable wording: hence the
phrases, which apply on every channel, at once.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from overture.domain import wishes
from overture.domain.channel import Channel
from overture.domain.sender import KeywordHandling, SenderKind


class Meaning(StrEnum):
    """What a message asks for."""

    OPT_OUT = "opt_out"
    OPT_IN = "opt_in"
    HELP = "help"
    NOTHING = "nothing"


CONFIRMATION: Final = (
    "You have been unsubscribed and will get no more messages from us. Reply START to subscribe again."
)
"""Our one answer to an opt-out where the provider gives none. Law allows one confirmation, without advertising."""

CONFIRMATIONS: Final = {
    "de": "Sie sind abgemeldet und bekommen keine Nachrichten mehr von uns. Mit START melden Sie sich wieder an.",
    "es": "Te hemos dado de baja y no recibirás más mensajes nuestros. Responde START para volver a recibirlos.",
    "fr": "Vous êtes désabonné et ne recevrez plus de messages de notre part. Répondez START pour vous réabonner.",
    "it": "La tua iscrizione è annullata e non riceverai più nostri messaggi. Rispondi START per iscriverti di nuovo.",
    "pt": "A sua inscrição foi cancelada e não receberá mais mensagens nossas. Responda START para voltar a receber.",
}
"""The same in the languages whose words for it we know; START is what lifts it in all of them."""

LANGUAGE_PACKS: Final = {
    "de": frozenset({"stopp", "abmelden", "abbestellen"}),
    "es": frozenset({"baja", "darme de baja", "cancelar suscripción", "cancelar suscripcion"}),
    "fr": frozenset({"arrêt", "arret", "désabonner", "desabonner", "désinscription", "desinscription"}),
    "id": frozenset({"berhenti", "berhenti berlangganan"}),
    "it": frozenset({"disiscrivimi", "cancellami", "annulla iscrizione"}),
    "nl": frozenset({"afmelden", "uitschrijven"}),
    "pt": frozenset({"parar", "descadastrar", "cancelar inscrição", "cancelar inscricao"}),
    "ar": frozenset({"توقف", "إلغاء الاشتراك"}),
    "hi": frozenset({"रोकें", "बंद करें"}),
}
"""Words for STOP by language that answer hardly any other question; WhatsApp only, where the list is ours."""

_LANGUAGES: Final = {
    unicodedata.normalize("NFKC", word).casefold(): language
    for language, words in LANGUAGE_PACKS.items()
    for word in words
}
_STOP_ALWAYS: Final = frozenset({"stop", "stopall", "unsubscribe", "optout", "revoke"})
_STOP_ON_SMS: Final = _STOP_ALWAYS | {"cancel", "end", "quit"}
_STOP_ON_WHATSAPP: Final = _STOP_ALWAYS.union(_LANGUAGES)
_START: Final = frozenset({"start", "unstop", "yes"})
_START_ON_TOLL_FREE: Final = frozenset({"start", "unstop"})  # the network lifts its block for these two only
_HELP_ON_SMS: Final = frozenset({"help", "info"})
_HELP_ON_WHATSAPP: Final = frozenset({"help"})  # "info" is a question for the agent there

_LONGEST_WISH: Final = 300  # who writes more than this says something else besides
_EDGES: Final = " \t\r\n\f\v.!?,;:'\"“”‘’()*_~-"

_LEAD: Final = (
    r"(?:(?:please|pls|plz|kindly|hi|hello|hey|ok|okay|no|just|now|and|so|sorry|sir|madam|guys|you|"
    r"can you|could you|would you|will you|i want you to|i need you to|i(?: woul|')?d like you to|i ask you to|"
    r"i(?:'m| am) not interested|not interested|no thanks|no thank you|(?:you have the |this is the )?wrong number|"
    r"i(?:'m| am) asking you to|i said|i want to|i(?: woul|')?d like to|i wish to|let me|you need to|you must) )*"
)
_TAIL: Final = (
    r"(?: (?:please|pls|plz|now|right now|immediately|at once|again|ever again|any ?more|any longer|forever|"
    r"thanks|thank you|thx|ok|okay|sir|madam|guys|for good|on this number|at this number|to this number|to me))*"
)
_WRITING: Final = r"(?:texting|messaging|contacting|bothering|spamming|writing(?: to)?|pinging|harassing)"
_WRITE: Final = r"(?:text|message|contact|bother|spam|write(?: to)?|ping|sms|whatsapp)"
_NEWS: Final = r"(?:(?:me|us) )?(?:any )?(?:more )?(?:of )?(?:these |those |your |this |the |such )?"
_MAIL: Final = r"(?:messages|message|texts|text messages|texting|sms|spam|notifications|msgs)"
_LIST: Final = r"(?:your|this|the|that|all)(?: (?:mailing|contact|contacts|text|texting|sms|messaging|marketing|your))*"

_ME: Final = r"(?:me|us|my number|this number)"
_OFF_A_LIST: Final = (
    rf"(?: (?:from|of) (?:{_LIST}(?: (?:list|lists|messages|texts))?|this|these messages|these texts))?"
)

_WISH: Final = re.compile(
    _LEAD
    + "(?:"
    + "|".join(
        (
            rf"(?:stop|quit|cease) {_WRITING}(?: (?:me|us|this number|my (?:number|phone)))?",
            rf"(?:stop|quit|cease)(?: sending)? {_NEWS}{_MAIL}",
            rf"(?:do not|don't|dont|never) (?:ever )?{_WRITE} (?:me|us|this number|my (?:number|phone))",
            rf"(?:do not|don't|dont|never) (?:ever )?send {_NEWS}{_MAIL}",
            rf"no more {_MAIL}",
            rf"(?:unsubscribe|opt[ -]?out|opt (?:me|us) out|unsubscribe (?:me|us)|remove {_ME}){_OFF_A_LIST}",
            rf"(?:take|get) {_ME} off (?:of )?{_LIST}(?: (?:list|lists))?",
            r"(?:delete|lose) my (?:phone )?number",
            r"leave (?:me|us) alone",
            r"i (?:revoke|withdraw) (?:my )?consent(?: to (?:these |your )?(?:messages|texts))?",
            r"(?:please|pls|plz) stop|stop (?:please|pls|plz)",
        )
    )
    + ")"
    + _TAIL
)
_CLAUSE: Final = re.compile(r"[.!?;\n]+")


def meaning(
    text: str,
    *,
    channel: Channel,
    sender_kind: SenderKind,
    opted_out: bool,
    handling: KeywordHandling,
    also_stop: Iterable[str] = (),
) -> Meaning:
    """What a contact's text means for consent on a channel.

    Words that opt in count only for a contact who is opted out, else they are answers. `also_stop` holds further
    words that opt out on WhatsApp, where the operator set them (cancel, end, quit).
    """
    if channel is Channel.API:
        return Meaning.NOTHING
    word = _word(text)
    if not word:  # nothing, or longer than any keyword
        return Meaning.OPT_OUT if wishes_to_stop(text) else Meaning.NOTHING
    on_sms = channel is Channel.SMS
    if word in (_STOP_ON_SMS if on_sms else _STOP_ON_WHATSAPP):
        return Meaning.OPT_OUT
    if not on_sms and word in {_word(further) for further in also_stop}:
        return Meaning.OPT_OUT
    network = sender_kind is SenderKind.TOLL_FREE or handling is KeywordHandling.NETWORK
    if opted_out and word in (_START_ON_TOLL_FREE if on_sms and network else _START):
        return Meaning.OPT_IN
    if word in (_HELP_ON_SMS if on_sms else _HELP_ON_WHATSAPP):
        return Meaning.HELP
    return Meaning.OPT_OUT if wishes_to_stop(text) else Meaning.NOTHING


def meaning_of_opt_out_type(opt_out_type: str | None) -> Meaning:
    """What Advanced Opt-Out says it understood and answered; we record it and stay silent on every channel."""
    match opt_out_type:
        case "STOP":
            return Meaning.OPT_OUT
        case "START":
            return Meaning.OPT_IN
        case "HELP":
            return Meaning.HELP
        case _:
            return Meaning.NOTHING


def provider_answers(text: str, *, channel: Channel, handling: KeywordHandling) -> bool:
    """Whether the provider itself acts on a message that opts out, opts in or asks for help.

    True only for its keywords: a wish in free words it hands on like any other message. Of the providers' ways only
    Advanced Opt-Out reaches beyond SMS: it answers for every sender of its Messaging Service.
    """
    if handling is KeywordHandling.OURS or channel is Channel.API:
        return False
    if channel is not Channel.SMS and handling is not KeywordHandling.ADVANCED:
        return False
    return _word(text) in _STOP_ON_SMS | _START | _HELP_ON_SMS


def reserved_on_sms(word: str) -> bool:
    """Whether an answer offered on SMS would opt its sender out or be answered by the provider instead of the agent."""
    return _word(word) in _STOP_ON_SMS | _HELP_ON_SMS


def confirmation(text: str) -> str:
    """What answers an opt-out, in the language of the words that it was said in where they tell one."""
    language = _LANGUAGES.get(_word(text)) or (wishes.language_of(text) if len(text) <= _LONGEST_WISH else None)
    return CONFIRMATIONS.get(language or "", CONFIRMATION)


def wishes_to_stop(text: str) -> bool:
    """Whether one of a message's clauses is, as a whole, a wish to get no more messages, in any language we know.

    Whole clauses only: "I told him to stop texting me" and "don't text me before nine" are conversation.
    """
    if len(text) > _LONGEST_WISH:
        return False
    return _wishes_in_english(text) or wishes.language_of(text) is not None


def _wishes_in_english(text: str) -> bool:
    plain = unicodedata.normalize("NFKC", text).casefold().replace("’", "'").replace("‘", "'")
    clauses = (" ".join(clause.replace(",", " ").strip(_EDGES).split()) for clause in _CLAUSE.split(plain))
    return any(_WISH.fullmatch(clause) for clause in clauses if clause)


def _word(text: str) -> str:
    """A whole message as a keyword is compared: trimmed, in any case, full-width forms as plain ones."""
    if len(text) > 64:  # no keyword is longer, and a long message need not be normalised to know it
        return ""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().strip(_EDGES).split())
