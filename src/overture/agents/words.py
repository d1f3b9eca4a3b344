"""What people write when they mean yes, no, a number or a position: tables by language.

Collected by hand, in the form that `answers.tokens` gives: lower case, no apostrophes ("dont"), ß as ss. A language
without a table of its own is understood in English only, and the linter says so.
"""

from typing import Final

LANGUAGES: Final = frozenset({"en", "de"})


def _phrases(*lines: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(phrase.split()) for line in lines for phrase in line.split(","))


def _words(line: str) -> list[str]:
    return line.split()


# A yes or no that stays one whatever follows, unless what follows takes it back: "yes I would like to book".
STRONG_YES: Final = {
    "en": _phrases("yes, yeah, yep, yup, yea, yess, yes please, sure, of course, absolutely, definitely, certainly"),
    "de": _phrases(
        "ja, jap, jep, jo, jawohl, klar, na klar, ja bitte, natürlich, natuerlich, gerne, sicher, auf jeden fall"
    ),
}
STRONG_NO: Final = {
    "en": _phrases("no, nope, nah, no thanks, no thank you"),
    "de": _phrases("nein, nee, ne, nö, noe, nein danke, auf keinen fall"),
}

YES: Final = {
    "en": _phrases(
        "y, ya, k, ok, okay, okey, alright, all right, correct, right, exactly, indeed, affirmative, true, agreed",
        "confirm, confirmed, i confirm, perfect, great, fine, good, thats right, that is right, thats correct",
        "that is correct, sounds good, sounds great, looks good, go ahead, please do, do it, works for me, that works",
        "that works for me, works, i do, id love to, id like to, i would like to, with pleasure",
        "thats fine, that is fine, no problem, no worries, not a problem, 👍, 👌, ✅, ✔",
    ),
    "de": _phrases(
        "j, ok, okay, okey, stimmt, das stimmt, genau, richtig, das ist richtig, korrekt, passt, das passt, passt so",
        "einverstanden, in ordnung, alles klar, perfekt, super, gut, bestätigt, bestätige, ich bestätige, gern",
        "bitte ja, mach das, machen sie das, sehr gerne, sehr gern, freilich, selbstverständlich, kein problem",
        "👍, 👌, ✅, ✔",
    ),
}
NO: Final = {
    "en": _phrases(
        "n, not really, not now, not today, not at all, not right now, not yet, i dont, i do not, dont, do not",
        "please dont, i dont want to, i do not want to, i dont think so",
        "negative, incorrect, wrong, thats wrong, that is wrong",
        "not right, not correct, thats not right, that is not right, thats not correct, no way, never, false",
        "i cant, i cannot, i wont, im not, i am not, no good, 👎, ❌",
    ),
    "de": _phrases(
        "n, nicht, lieber nicht, jetzt nicht, heute nicht, noch nicht, nicht jetzt, nicht heute, falsch",
        "das ist falsch, stimmt nicht, das stimmt nicht, passt nicht, das passt nicht, keinesfalls, niemals",
        "ich möchte nicht, möchte ich nicht, will ich nicht, ich will nicht, eher nicht, auf keinen fall, 👎, ❌",
    ),
}

# Politeness that changes nothing.
FILLERS: Final = {
    "en": _phrases(
        "please, pls, thanks, thank you, thx, ty, very much, so much, hi, hello, hey, oh, um, uh, well, lol"
    ),
    "de": _phrases("bitte, danke, vielen dank, danke schön, dankeschön, sehr, hallo, hi, guten tag, ach, ähm, oh, na"),
}

# One of these makes an answer no answer: it is hedged, conditional, or taken back.
HEDGES: Final = {
    "en": _phrases(
        "maybe, perhaps, but, if, unless, except, or, not, dont, cant, cannot, wont, didnt, isnt, never, later",
        "depends, wait, actually, think, guess, unsure, might, could, possibly, probably, idea, clue, doubt, however",
        "until, instead, neither, none, matter, rush, one, wonder, hurry, hold",
    ),
    "de": _phrases(
        "vielleicht, aber, wenn, falls, oder, ausser, nicht, kein, keine, keinen, nie, später, eventuell, evtl, kommt",
        "warte, moment, eigentlich, glaube, denke, könnte, wahrscheinlich, ahnung, jedoch, weder, stattdessen, sondern",
    ),
}

# One of these beside a choice or a number says which one it is *not*.
NEGATORS: Final = {
    "en": frozenset(
        _words("not dont doesnt didnt isnt cant cannot wont never neither none nothing without except or idea clue")
    ),
    "de": frozenset(_words("nicht kein keine keinen keiner nie niemals weder nichts ohne ausser oder ahnung")),
}

# One of these makes a number another number.
QUANTIFIERS: Final = {
    "en": frozenset(_words("half quarter more less least most than between about few couple or from")),
    "de": frozenset(_words("halb halbe viertel mehr weniger mindestens höchstens zwischen etwa einige paar oder bis")),
}

_EN_UNITS: Final = _words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
_EN_TENS: Final = _words("twenty thirty forty fifty sixty seventy eighty ninety")
_DE_UNITS: Final = _words(
    "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn siebzehn "
    "achtzehn neunzehn"
)
_DE_TENS: Final = _words("zwanzig dreissig vierzig fünfzig sechzig siebzig achtzig neunzig")


def _english() -> dict[str, int]:
    below = {word: number for number, word in enumerate(_EN_UNITS)}
    tens = {word: 20 + 10 * place for place, word in enumerate(_EN_TENS)}
    both = {f"{ten} {unit}": tens[ten] + below[unit] for ten in _EN_TENS for unit in _EN_UNITS[1:10]}
    return {**below, **tens, **both, "hundred": 100, "a hundred": 100, "one hundred": 100, "dozen": 12, "a dozen": 12}


def _german() -> dict[str, int]:
    below = {word: number for number, word in enumerate(_DE_UNITS)}
    tens = {word: 20 + 10 * place for place, word in enumerate(_DE_TENS)}
    both = {
        f"{'ein' if unit == 'eins' else unit}und{ten}": tens[ten] + below[unit]
        for ten in _DE_TENS
        for unit in _DE_UNITS[1:10]
    }
    words = {**below, "zwo": 2, **tens, **both, "hundert": 100, "einhundert": 100, "dutzend": 12, "ein dutzend": 12}
    return words | {word.replace("ü", "ue").replace("ö", "oe"): number for word, number in words.items()}


NUMBERS: Final = {"en": _english(), "de": _german()}

# A number word that only counts something when it is the whole answer: "one" in "the other one", "ein" in "ein Bad".
WHOLE_ONLY: Final = {
    "en": {"one": 1},
    "de": {"ein": 1, "eine": 1, "einen": 1, "einer": 1, "eines": 1, "einem": 1},
}

LAST: Final = -1
ORDINALS: Final = {
    "en": {
        **{
            word: place
            for place, word in enumerate(
                _words("first second third fourth fifth sixth seventh eighth ninth tenth"), start=1
            )
        },
        **{f"{n}{'st' if n == 1 else 'nd' if n == 2 else 'rd' if n == 3 else 'th'}": n for n in range(1, 11)},
        "last": LAST,
    },
    "de": {
        f"{stem}{ending}": place
        for stem, place in [
            *(
                (stem, n)
                for n, stem in enumerate(_words("erst zweit dritt viert fünft sechst siebt acht neunt zehnt"), 1)
            ),
            ("letzt", LAST),
        ]
        for ending in ("e", "er", "es", "en", "em")
    },
}

# What may stand around a position: "I will take option 2 please", "die Nummer zwei".
AROUND_POSITION: Final = {
    "en": frozenset(
        _words(
            "option number no nr choice answer the one please i ill id take want would will like its is go with "
            "choose pick select prefer that thanks"
        )
    ),
    "de": frozenset(
        _words(
            "option nummer nr antwort auswahl die der das den bitte ich nehme möchte will hätte gerne gern wähle punkt "
            "variante danke"
        )
    ),
}

# What is said to a voice note that nobody could write down.
CANNOT_HEAR: Final = {
    "en": "Sorry, I cannot listen to voice messages. Please write it to me.",
    "de": "Sprachnachrichten kann ich leider nicht abhören. Bitte schreiben Sie es mir.",
}

# Decimal and thousands separators.
SEPARATORS: Final = {"en": (".", ","), "de": (",", ".")}
