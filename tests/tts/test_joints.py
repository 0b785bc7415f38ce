"""Where a sentence may be divided without punctuation."""

from __future__ import annotations

import pytest

from voiceloop.tts.joints import ENGLISH, is_joint, joints_of


def joint(text: str) -> bool:
    """Whether the bar in `text` stands at a joint."""
    before, _, after = text.partition(" | ")
    return is_joint(before.split(), after.split()[0], ENGLISH)


@pytest.mark.parametrize(
    "text",
    [
        "I can help you | with that",
        "We're open | from nine",
        "Your appointment is on Tuesday | at three",
        "Delivery is free | on orders",
        "Please restart the router | and wait",
        "I'm afraid | we are closed",
        "For security reasons | I can't",
        "It should work | if you restart it",
        "You can change | your booking",
        "Let me check | that for you",
        "The soup of the day | is tomato",
        "How many people | will be joining",
        "I'd be happy | to help",
        "The dentist can see you | tomorrow",
        "“I can help you | with",
        "It was sent in May | and arrived",
        "**Delivery** is **free** | on",
    ],
)
def test_a_joint_lies_before_a_word_that_opens_a_phrase(text: str) -> None:
    assert joint(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Yes | with milk", "too short"),
        ("Thank you | for calling", "too short, and a pair"),
        ("The table is | on the left", "after a copula"),
        ("I have to look | for it", "a pair"),
        ("You can come | in now", "a pair"),
        ("It is near the | in", "after a determiner"),
        ("We can send it to | the office", "after a preposition"),
        ("It takes more than | a week", "after than"),
        ("Where and when can | we meet", "verb and its subject"),
        ("I think that | you're right", "that and its clause"),
        ("We are open nine | to six", "two numbers"),
        ("It costs about 20 | or 30", "two numbers, in digits"),
        ("We would like | to pay", "verb and infinitive"),
        ("The doctor's | in", "something shortened"),
        ("I can tell you it | is late", "a pronoun and its verb"),
        ("We can see the table | is free", "not the subject of the whole"),
        ("My sister said | May is best", "a name"),
        ("You can certainly come | in.", "the last word of a sentence"),
        ("We can help you | quickly", "opens nothing"),
        ("— - | with", "no words before"),
    ],
)
def test_no_joint_lies_inside_what_belongs_together(text: str, why: str) -> None:
    assert not joint(text), why


def test_a_language_is_found_by_its_tag() -> None:
    assert joints_of("en") is joints_of("en-GB") is joints_of("EN_us") is ENGLISH
    assert joints_of("de") is None
