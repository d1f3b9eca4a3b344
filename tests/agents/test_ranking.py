"""Questions find the passage that answers them, in English and German; what says nothing finds nothing."""

import pytest

from overture.agents import passages, ranking
from tests.agents.faq import ENGLISH, HOSTILE, NOTHING, QUESTIONS


@pytest.mark.parametrize(("text", "question", "title"), QUESTIONS, ids=[question for _, question, _ in QUESTIONS])
def test_a_question_finds_its_passage(text: str, question: str, title: str) -> None:
    ranked = ranking.rank(passages.cut(text), question)
    assert ranked[0][1].title.endswith(title), [(round(score, 2), one.title) for score, one in ranked[:3]]


@pytest.mark.parametrize("question", NOTHING)
def test_what_says_nothing_finds_nothing(question: str) -> None:
    assert ranking.rank(passages.cut(ENGLISH), question) == []


def test_what_was_asked_before_helps_where_the_question_alone_says_little() -> None:
    ranked = ranking.rank(passages.cut(ENGLISH), "and how much for long?", before="what does colouring cost")
    assert ranked[0][1].title.endswith("Prices")
    ranked = ranking.rank(passages.cut(ENGLISH), "where can I park", before="when are you open on sunday")
    assert ranked[0][1].title.endswith("Parking")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Öffnungszeiten", ["offnungszeiten"]),
        ("Straße", ["strasse"]),
        ("Crème-Brûlée!", ["creme", "brulee"]),
        ("it's 9:30", ["it", "s", "9", "30"]),
        ("snake_case", ["snake", "case"]),
        ("日本語abc", ["日本", "本語", "abc"]),
        ("日", ["日"]),
        ("x" * 65, []),
        ("👍 \x00 \u200f", []),
    ],
)
def test_words_are_letters_and_digits_alone(text: str, words: list[str]) -> None:
    assert ranking.words_of(text) == words


@pytest.mark.parametrize("query", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_asked_few_plain_words_are_looked_for(query: str) -> None:
    stems = ranking.stems_of(query, query)
    assert len(stems) <= ranking.MOST_WORDS
    assert all(ranking.words_of(word) == [word] for word in stems)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("deliveries", "delivery"),
        ("opening", "opened"),
        ("prices", "price"),
        ("Lieferung", "liefern"),
        ("Preis", "preise"),
    ],
)
def test_forms_of_a_word_have_one_stem(one: str, other: str) -> None:
    assert ranking.stem(one.lower()) == ranking.stem(other.lower())
