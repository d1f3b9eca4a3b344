"""What a text means to a question: golden tables by language. What is not known to mean it is not understood."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from overture.agents import answers
from overture.domain.agent import Ask, Json

YES_NO_ENGLISH = {
    True: "yes|Yes!|YES|y|yep|yeah|ok|OK 👍|👍|👍🏽|✅|sure|Sure thing|of course|yes please|please do|"
    "that's right|That’s correct|"
    "sounds good|no problem|no worries|hi yes please|yes yes|Yes I would like to book|great thanks|y 😀|"
    "i do|works for me|"
    "yes\nplease|ｙｅｓ",
    False: "no|No.|NO!!|n|nope|nah|no thanks|no, thank you|👎|not really|not now|I don't|i do not|"
    "I don’t think so|never|"
    "no I can't come|No, I am busy that day|no I will be away|wrong|that's not right|no no no|please don't",
    None: "|   |😀|?|maybe|I dont know|I don't know|not yes|not no|not sure|no idea|yes no|no yes|👍👎|"
    "yes but later|yes? who is this|"
    "yes, wait|no that's fine|no doubt|perhaps|if you like|yes or no|hello|thanks|book|yesterday|nobody|"
    "know|yesno|1|"
    "yes unless it rains|okay but not today|sure not|the first one|what|no problem but not today|\x00",
}
YES_NO_GERMAN = {
    True: "ja|Ja!|JA|j|jo|klar|Ja gerne|ja bitte|natürlich|natuerlich|passt|das passt|das stimmt|genau|"
    "in ordnung|ok|okay|"
    "alles klar|kein Problem|👍|yes|Ja, ich komme|einverstanden",
    False: "nein|Nein danke|nein!|nee|nö|noe|auf keinen Fall|passt nicht|das stimmt nicht|lieber nicht|"
    "heute nicht|falsch|"
    "👎|no|Nein, ich kann da",
    None: "vielleicht|weiß nicht|ich weiß nicht|ja aber später|ja nein|gerne nicht|keine Ahnung|ja?|"
    "hallo|danke|mal sehen|jain|"
    "wenn es sein muss|eventuell|nicht schlecht|ja, vielleicht",
}


def rows(table: dict[bool | None, str]) -> list[tuple[str, bool | None]]:
    return [(text, meaning) for meaning, texts in table.items() for text in texts.split("|")]


@pytest.mark.parametrize(("text", "meaning"), rows(YES_NO_ENGLISH))
def test_yes_and_no_in_english(text: str, meaning: bool | None) -> None:
    assert answers.yes_no(text, "en-US") is meaning


@pytest.mark.parametrize(("text", "meaning"), rows(YES_NO_GERMAN))
def test_yes_and_no_in_german(text: str, meaning: bool | None) -> None:
    assert answers.yes_no(text, "de") is meaning


def test_a_language_without_a_table_is_understood_in_english() -> None:
    assert answers.yes_no("yes", "fi") is True
    assert answers.yes_no("kyllä", "fi") is None


CUT = Ask(
    slot="service",
    type="choice",
    choices={"haircut": ["cut"], "cut and colour": ["both"], "beard trim": ["beard", "not the hair"]},
)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("haircut", "haircut"),
        ("A Haircut, please!", "haircut"),
        ("cut", "haircut"),
        ("cut and colour", "cut and colour"),  # the longer form hides the shorter one
        ("both", "cut and colour"),
        ("1", "haircut"),
        ("1.", "haircut"),
        ("#2", "cut and colour"),
        ("2️⃣", "cut and colour"),
        ("２", "cut and colour"),
        ("option 2", "cut and colour"),
        ("number two please", "cut and colour"),
        ("the second one", "cut and colour"),
        ("2nd", "cut and colour"),
        ("I'll take the third", "beard trim"),
        ("the last one", "beard trim"),
        ("one", "haircut"),
        ("option one", "haircut"),
        ("beard trim 3", "beard trim"),
        ("haircut for 2 people", "haircut"),
        ("no, the first one", "haircut"),
        ("not the hair", "beard trim"),
        ("", None),
        ("😀", None),
        ("0", None),
        ("4", None),
        ("99999999999999999999", None),
        ("1 and 2", None),
        ("1 or 2", None),
        ("haircut or beard", None),
        ("haircut 2", None),
        ("not 2", None),
        ("don't cut", None),
        ("neither", None),
        ("haircuts", None),
        ("the one", None),
        ("2 people at 5", None),
        ("no", None),
        ("second thoughts", None),
    ],
)
def test_a_choice_is_a_spoken_form_or_a_position(text: str, label: str | None) -> None:
    assert answers.read(CUT, text, "en") == label


@pytest.mark.parametrize("text", ["no idea", "no clue", "I have no idea", "No idea yet!"])
def test_who_has_no_idea_has_not_said_no(text: str) -> None:
    ask = Ask(slot="s", type="choice", choices={"confirm": ["yes"], "call off": ["no", "cancel it"]})
    assert answers.read(ask, text, "en") is None
    assert answers.read(ask, "no", "en") == "call off"


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("die zweite", "Farbe"),
        ("das Zweite bitte", "Farbe"),
        ("Nummer zwei", "Farbe"),
        ("nummer drei", "Bart"),
        ("die letzte", "Bart"),
        ("ich nehme den ersten", "Schnitt"),
        ("1", "Schnitt"),
        ("FARBE", "Farbe"),
        ("keine Farbe", None),
        ("Schnitt oder Bart", None),
        ("eine", None),
    ],
)
def test_a_choice_in_german(text: str, label: str | None) -> None:
    ask = Ask(slot="s", type="choice", choices=["Schnitt", "Farbe", "Bart"])
    assert answers.read(ask, text, "de") == label


def test_a_label_that_is_a_number_wins_over_a_position() -> None:
    ask = Ask(slot="people", type="choice", choices=["2", "4", "6"])
    assert [answers.read(ask, text, "en") for text in ("2", "4", "1", "the first")] == ["2", "4", "2", "2"]


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("book", "appointment"),
        ("book a haircut", "haircut"),
        ("an appointment to book", "appointment"),
        ("book a haircut and a beard", None),
        ("haircut 3", None),
        ("3", "appointment"),
        ("book 1", None),
    ],
)
def test_a_weak_label_gives_way_to_another(text: str, label: str | None) -> None:
    choices = {"haircut": [], "beard": [], "appointment": ["book"]}
    ask = Ask(slot="s", type="choice", choices=choices, weak=["appointment"])
    assert answers.read(ask, text, "en") == label


NUMBERS_ENGLISH: list[tuple[str, float | None]] = [
    ("4", 4), ("4.", 4), ("we are 4 people", 4), ("four", 4), ("Four please", 4), ("twenty-five", 25),
    ("twenty five", 25),
    ("a dozen", 12), ("one", 1), ("1.5", 1.5), ("1,234", 1234), ("1,234.5", 1234.5), ("-3", -3),
    ("€20", 20), ("20%", 20),
    ("no, 4", 4), ("4, yes 4", 4), ("0", 0), ("zero", 0), ("٤", 4), ("4️⃣", 4), ("4 four", 4),
    ("", None), ("many", None), ("4 or 5", None), ("4-5", None), ("3pm", None), ("2nd", None), ("12:30", None),
    ("1,5", None), ("1/2", None), ("½", None), ("two and a half", None), ("not 4", None), ("the other one", None),
    ("more than 4", None), ("about 4", None), ("1e5", None), ("9" * 40, None), ("+1 555 123", None), ("1_000", None),
    ("nan", None), ("inf", None), ("0x10", None), ("👍", None), ("four five", None), ("someone", None),
]  # fmt: skip
NUMBERS_GERMAN: list[tuple[str, float | None]] = [
    ("4", 4), ("vier", 4), ("vier Personen", 4), ("fünfundzwanzig", 25), ("zwölf", 12),
    ("zwoelf", 12), ("dreißig", 30),
    ("eins", 1), ("eine", 1), ("zwo", 2), ("1,5", 1.5), ("1.234", 1234), ("1.234,5", 1234.5), ("ein Dutzend", 12),
    ("1.5", None), ("eine Frage", None), ("nicht 4", None), ("vier oder fünf", None),
    ("eineinhalb", None), ("halb vier", None),
    ("mindestens 4", None), ("", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "value"), NUMBERS_ENGLISH)
def test_numbers_in_english(text: str, value: float | None) -> None:
    assert answers.number(text, "en") == value


@pytest.mark.parametrize(("text", "value"), NUMBERS_GERMAN)
def test_numbers_in_german(text: str, value: float | None) -> None:
    assert answers.number(text, "de") == value


@pytest.mark.parametrize(
    ("text", "ask", "value"),
    [
        ("4", Ask(slot="n", type="number", min=1, max=4), 4),
        ("5", Ask(slot="n", type="number", min=1, max=4), None),
        ("0", Ask(slot="n", type="number", min=1), None),
        ("1.5", Ask(slot="n", type="number", whole=True), None),
        ("2.0", Ask(slot="n", type="number", whole=True), 2),
        ("Ana", Ask(slot="t"), "Ana"),
        ("  Ana\nMaria ", Ask(slot="t"), "Ana Maria"),
        ("x" * 10_000, Ask(slot="t", max_length=50), "x" * 50),
        ("👍", Ask(slot="t"), None),
        ("...", Ask(slot="t"), None),
        ("", Ask(slot="t"), None),
        ("東京", Ask(slot="t"), "東京"),
        ("yes " * 2_500, Ask(slot="t", type="yes_no"), None),
        ("1" * 10_000, Ask(slot="t", type="number"), None),
        ("haircut " * 1_250, CUT, None),
        ("a", Ask(slot="c", type="choice"), None),
    ],
)
def test_an_answer_is_checked_against_its_question(text: str, ask: Ask, value: Json) -> None:
    assert answers.read(ask, text, "en") == value


@pytest.mark.parametrize(
    ("texts", "ask", "value"),
    [
        (("yes", "please"), Ask(slot="a", type="yes_no"), True),
        (("yes", "no"), Ask(slot="a", type="yes_no"), False),  # the later word counts
        (("hm", "let me see", "ok"), Ask(slot="a", type="yes_no"), True),
        (("yes", "what a day"), Ask(slot="a", type="yes_no"), True),
        (("yes", "wait"), Ask(slot="a", type="yes_no"), None),  # taken back
        (("yes", "wait no"), Ask(slot="a", type="yes_no"), None),
        (("4", "no 5"), Ask(slot="a", type="number"), 5),
        (("cut", "and colour"), CUT, "cut and colour"),
        (("haircut", "beard"), CUT, "beard trim"),
        (("Tuesday", "afternoon"), Ask(slot="a"), "Tuesday afternoon"),
        (("", ""), Ask(slot="a"), None),
        ((), Ask(slot="a", type="yes_no"), None),
    ],
)
def test_a_burst_is_one_answer_read_from_its_end(texts: tuple[str, ...], ask: Ask, value: Json) -> None:
    assert answers.understand(ask, texts, "en") == value


@pytest.mark.parametrize(
    ("text", "heard"),
    [
        ("human", True),
        ("HUMAN!!", True),
        ("can I talk to a real person, please?", True),
        ("humane", False),
        ("real nice person", False),
        ("", False),
        ("word " * 100_000, False),
    ],
)
def test_a_phrase_is_heard_as_whole_words(text: str, heard: bool) -> None:
    assert answers.says(text, ["human", "real person", "", "?"]) is heard


@given(
    st.text(max_size=300),
    st.sampled_from(["en", "de", "fr", ""]),
    st.sampled_from(["yes_no", "choice", "number", "text"]),
)
def test_any_text_is_read_or_not_understood(text: str, language: str, kind: str) -> None:
    choices = ["a", "b"] if kind == "choice" else None
    ask = Ask(slot="s", type=kind, choices=choices)  # type: ignore[arg-type] # one of the four
    value = answers.read(ask, text, language)
    types: dict[str, tuple[type, ...]] = {"yes_no": (bool,), "choice": (str,), "number": (int, float), "text": (str,)}
    assert value is None or isinstance(value, types[kind])
