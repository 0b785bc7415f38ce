"""Text for the ear: what is said for what is written, and when it leaves."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voiceloop.errors import MissingExtra
from voiceloop.text import Piece, Reader, Rules, reading_for, spoken
from voiceloop.text.marks import cleaned

unicode_rbnf = pytest.importorskip("unicode_rbnf", reason="the extra 'text' is not installed")


@cache
def rules(language: str = "en", *pronounce: tuple[str, str]) -> Rules:
    return Rules(reading_for(language), dict(pronounce))


def say(text: str, language: str = "en") -> str:
    return spoken(text, rules(language))


ENGLISH = [
    # money
    ("$4.50", "four dollars and fifty cents"),
    ("($4.50).", "(four dollars and fifty cents)."),
    ("$1", "one dollar"),
    ("$1.01", "one dollar and one cent"),
    ("$0.99", "ninety nine cents"),
    ("$4.5 million", "four point five million dollars"),
    ("$20k", "twenty thousand dollars"),
    ("$1,250.00", "one thousand two hundred fifty dollars"),
    ("$5-10", "five to ten dollars"),
    ("$5.50-$6", "five dollars and fifty cents to six dollars"),
    ("-$5", "minus five dollars"),
    ("5 USD", "five dollars"),
    ("20€ or 20 €", "twenty euros or twenty euros"),
    ("£2.01", "two pounds and one penny"),
    ("¥500", "five hundred yen"),
    ("$99/night", "ninety nine dollars per night"),
    ("$10+", "ten dollars plus"),
    ("$5!", "five dollars!"),
    # times
    ("3:30pm", "three thirty p m"),
    ("3:30 PM", "three thirty p m"),
    ("3pm", "three p m"),
    ("at 3 p.m. We", "at three p m. We"),
    ("at 3 p.m. we", "at three p m we"),
    ("9:00 am", "nine a m"),
    ("9:00", "nine o'clock"),
    ("17:00", "seventeen hundred"),
    ("9:05", "nine oh five"),
    ("15:30", "fifteen thirty"),
    ("9-5pm", "nine to five p m"),
    ("9am-5pm", "nine a m to five p m"),
    ("9:30–10:30 am", "nine thirty to ten thirty a m"),
    ("3-5 pm", "three to five p m"),
    # dates
    ("2026-11-23", "November twenty third, twenty twenty six"),
    ("Nov 23, 2026", "November twenty third, twenty twenty six"),
    ("Nov. 23", "November twenty third"),
    ("November 1st, 2005", "November first, two thousand five"),
    ("November 2026", "November twenty twenty six"),
    ("11/23", "November twenty third"),
    ("11/23/2026", "November twenty third, twenty twenty six"),
    ("11/23/26", "November twenty third, twenty twenty six"),
    ("on 3/4", "on March fourth"),
    ("23 November 2026", "the twenty third of November twenty twenty six"),
    ("the 23rd of November", "the twenty third of November"),
    ("Nov 23-25", "November twenty third to twenty fifth"),
    ("Mon, Nov 23", "Monday, November twenty third"),
    ("May 5", "May fifth"),
    ("Mon-Fri", "Monday to Friday"),
    ("Sat 10am", "Saturday ten a m"),
    # years
    ("in 1999", "in nineteen ninety nine"),
    ("in 1850", "in eighteen fifty"),
    ("2026", "twenty twenty six"),
    ("2000 people", "two thousand people"),
    ("the 1990s", "the nineteen nineties"),
    ("the '90s", "the nineties"),
    ("1999-2005", "nineteen ninety nine to two thousand five"),
    ("2019-21", "twenty nineteen to twenty one"),
    # telephone numbers
    ("(555) 010-4477", "five five five, zero one zero, four four seven seven"),
    ("+1 555 010 4477", "plus one, five five five, zero one zero, four four seven seven"),
    ("+15550104477", "plus one, five five five, zero one zero, four four seven seven"),
    ("555-010-4477.", "five five five, zero one zero, four four seven seven."),
    ("555.010.4477", "five five five, zero one zero, four four seven seven"),
    ("1-800-555-0199", "one, eight zero zero, five five five, zero one nine nine"),
    ("555-0199", "five five five, zero one nine nine"),
    ("call 911", "call nine one one"),
    ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
    # codes
    ("order AB12-94", "order A B one two, nine four"),
    ("A1C", "A one C"),
    ("flight BA249", "flight B A two four nine"),
    ("flight UA 1234", "flight UA one two three four"),
    ("gate B12", "gate B twelve"),
    ("SW1A 1AA", "S W one A one A A"),
    ("CA 90210", "CA nine zero two one zero"),
    ("order number 48213", "order number four eight two one three"),
    ("order 12 bagels", "order twelve bagels"),
    ("#48213", "number four eight two one three"),
    ("#5", "number five"),
    ("order number #5", "order number five"),
    ("room 1204", "room one two zero four"),
    ("PIN 0042", "PIN zero zero four two"),
    ("12345678", "one two three four, five six seven eight"),
    ("MP3", "M P three"),
    ("3D", "three D"),
    ("COVID-19", "COVID nineteen"),
    ("192.168.1.1", "one hundred ninety two point one hundred sixty eight point one point one"),
    # units, percentages, ranges
    ("5 kg", "five kilograms"),
    ("5kg", "five kilograms"),
    ("1 kg", "one kilogram"),
    ("2.5 km", "two point five kilometers"),
    ("60 mph", "sixty miles per hour"),
    ("70°F", "seventy degrees Fahrenheit"),
    ("-5 °C", "minus five degrees Celsius"),
    ("5 min. walk", "five minutes walk"),
    ("20%", "twenty percent"),
    ("20 %", "twenty percent"),
    ("10-15%", "ten to fifteen percent"),
    ("10-12 minutes", "ten to twelve minutes"),
    ("10 - 12 minutes", "ten to twelve minutes"),
    ("10–12 kg", "ten to twelve kilograms"),
    ("4x6", "four by six"),
    ("4 x 6", "four by six"),
    ("10x", "ten times"),
    ("6'2\"", "six feet two"),
    ("~5", "about five"),
    # numbers
    ("1,250", "one thousand two hundred fifty"),
    ("12345", "twelve thousand three hundred forty five"),
    ("3.14", "three point one four"),
    ("2.0.1", "two point zero point one"),
    ("2 million", "two million"),
    ("1st, 2nd and 23rd", "first, second and twenty third"),
    ("24/7", "twenty four seven"),
    ("1/2", "one half"),
    ("3/4 cup", "three quarters cup"),
    ("2 1/2 cups", "two and a half cups"),
    ("2½ cups", "two and a half cups"),
    ("4.5/5", "four point five out of five"),
    ("3:1", "three to one"),
    ("8-year-old", "eight-year-old"),
    ("No. 5", "Number five"),
    ("apt. 5", "apartment five"),
    # addresses
    ("anna.b@example.com", "anna dot b at example dot com"),
    ("jo_smith42@mail-box.org", "jo underscore smith four two at mail dash box dot org"),
    ("https://www.example.com/menu?x=1", "example dot com"),
    ("https://example.com/menu", "example dot com slash menu"),
    ("www.example.org.", "example dot org."),
    ("example.com", "example dot com"),
    ("<https://example.com>", "example dot com"),
    # abbreviations and signs
    ("Dr. Smith", "Doctor Smith"),
    ("Ask Dr Smith", "Ask Doctor Smith"),
    ("on Ocean Dr.", "on Ocean Drive."),
    ("Main St. is closed", "Main Street is closed"),
    ("at 12 Main St. Bring it", "at twelve Main Street. Bring it"),
    ("St. Mary's", "Saint Mary's"),
    ("near St. Mary", "near Saint Mary"),
    ("Mr. and Mrs. Lee", "Mister and Missus Lee"),
    ("e.g. tea", "for example tea"),
    ("i.e. now", "that is now"),
    ("tea, etc. and more", "tea, et cetera and more"),
    ("tea, etc. We", "tea, et cetera. We"),
    ("salt & pepper", "salt and pepper"),
    ("AT&T", "AT and T"),
    ("w/o milk", "without milk"),
]


@pytest.mark.parametrize(("written", "said"), ENGLISH)
def test_it_is_read_as_people_read_it(written, said):
    assert say(written) == said


@pytest.mark.parametrize(
    "text",
    [
        "May I come in?", "I may come in may.", "I'm sure it's fine.", "He lives in the U.S. now.", "a well-known cafe",
        "No. Not now.", "Yes, no, maybe.", "Anna-Lena O'Neill", "Jan Novak", "The sun is up. He sat down.",
        "Sun and rain", "mother-in-law", "naïve café", "NASA and the FBI", "Is that all?", "in a minute", "Hello...",
        "“Quoted,” she said.", "(in brackets)", "a 'word'", "Well — yes.", "check.It", "snake_case", "node.js",
        "Go to St", "a.m.", "Come in, Dr.", "rock 'n' roll", "Ph.D. student", "one of us", "He said: yes; we: no!",
    ],
)  # fmt: skip
def test_ordinary_words_are_left_as_they_are(text):
    assert say(text) == text


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Bold text**, *it* and __that__", "Bold text, it and that"),
        ("***both*** ~~no~~ `code`", "both no code"),
        ('(**x**) "*y*"', '(x) "y"'),
        ("ask @**ann** or **ann@x.com** now", "ask at ann or ann at x dot com now"),
        ("see [our menu](https://x.com/a) now", "see our menu now"),
        ('see [our menu](https://x.com/a "The menu here") now', "see our menu now"),
        ("![A cat](cat.png) sits", "A cat sits"),
        ("said so.[1] Then[^2] this", "said so. Then this"),
        ("# Our menu\n\nTea", "Our menu.\n Tea"),
        ("- tea\n- **cake**!\n* soup", "tea.\n cake!\n soup"),
        ("1. Tea\n2. Cake\n", "one, Tea.\n two, Cake."),
        ("- [ ] open\n- [x] done", "open.\n done"),
        ("> quoted\n\n---\n\nend", "quoted\n end"),
        ("| Item | Price |\n|------|------:|\n| Tea | $2 |\n", "Item, Price. \nTea, two dollars."),
        ("```python\nprint\n```\nend", "print\n end"),
        ("Great! 😀 Thanks👍🏽 👨‍👩‍👧 ok", "Great! Thanks ok"),
        ("press 1️⃣ now", "press one now"),
        ("a\u200bb\x07c \ufeffd", "abc d"),
        ("Acme® and Foo™", "Acme and Foo"),
        ("a<br>b <b>c</b>", "ab c"),
        ("Tom &amp; Ann", "Tom and Ann"),
        ("*terms apply", "terms apply"),
        ("✅ Done", "Done"),
        ("😀", ""),
        ("", ""),
        ("   ", ""),
    ],
)
def test_marks_emoji_and_controls_are_not_spoken(written, said):
    assert say(written) == said


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("23/11", "the twenty third of November"),
        ("11/12/2026", "the eleventh of December, twenty twenty six"),
        ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
        ("£4.50", "four pounds and fifty pence"),
    ],
)
def test_british_dates_are_day_first(written, said):
    assert say(written, "en-GB") == said


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("de", "Das kostet 4,50 €.", "Das kostet vier Euro fünfzig Cent."),
        ("de", "am 23.11.2026", "am dreiundzwanzigsten November zweitausendsechsundzwanzig"),
        ("de", "der 1. Mai", "der erste Mai"),
        ("de", "um 15:30 Uhr", "um fünfzehn Uhr dreißig"),
        ("de", "9-17 Uhr", "neun bis siebzehn Uhr"),
        ("de-AT", "1.250 Gäste, 20 %", "eintausendzweihundertfünfzig Gäste, zwanzig Prozent"),
        ("de", "1 Kaffee", "ein Kaffee"),
        ("de", "030 1234567", "null drei null, eins zwei drei, vier fünf sechs sieben"),
        ("de", "z.B. Dr. Müller", "zum Beispiel Doktor Müller"),
        ("es", "4,50 €", "cuatro euros con cincuenta céntimos"),
        ("es", "el 1 de enero de 2026", "el primero de enero de dos mil veintiséis"),
        ("es-MX", "23/11/2026", "veintitrés de noviembre de dos mil veintiséis"),
        ("es", "a las 15:30", "a las quince treinta"),
        ("es", "21 euros, 200 £", "veintiún euros, doscientas libras"),
        ("es", "612 345 678", "seis uno dos, tres cuatro cinco, seis siete ocho"),
        ("es", "20 %", "veinte por ciento"),
        ("fr", "4,50 €", "quatre euros et cinquante centimes"),
        ("fr", "le 1er mai 2026", "le premier mai deux mille vingt-six"),
        ("fr", "à 15h30, 1h", "à quinze heures trente, une heure"),
        ("fr", "1 250 personnes", "mille deux cent cinquante personnes"),
        ("fr", "80 %", "quatre-vingts pour cent"),
        ("fr", "01 23 45 67 89", "zéro un, deux trois, quatre cinq, six sept, huit neuf"),
        ("fr-CA", "M. Dupont", "Monsieur Dupont"),
    ],
)
def test_other_languages_are_read_in_their_own_words(language, written, said):
    assert say(written, language) == said


def test_a_language_that_cannot_be_read_loses_its_marks_only():
    assert spoken("**Ciao** 😀, 5 € [qui](http://a.it)", Rules(None, {"ciao": "cha-oh"})) == "cha-oh 5 € qui"
    assert reading_for("it") is None


def test_scripts_without_spaces_leave_letter_by_letter():
    reader = Reader(rules())
    assert [piece.spoken for piece in reader.feed("你好。世")] == ["你", "好", "。"]
    assert say("你好。世界") == "你好。世界"


# --- the pronunciation table --------------------------------------------------------------------------------------

TABLE = {
    "Gnocchi": "nyoki",
    "SQL": "sequel",
    "New Deal": "noo deal",
    "New Deal Bar": "the bar",
    "A1C": "a one see",
    "psst": "",
}


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("gnocchi, Gnocchi and GNOCCHI's", "nyoki, nyoki and nyoki's"),
        ("**Gnocchi**!", "nyoki!"),
        ("SQL, sql, MySQL", "sequel, sql, MySQL"),
        ("a New Deal, the New Deal Bar's door", "a noo deal, the the bar's door"),
        ("new deal bar", "the bar"),
        ("New, Deal", "New, Deal"),
        ("A1C psst now", "a one see now"),
        ("gnocchini", "gnocchini"),
    ],
)
def test_the_pronunciation_table_is_for_whole_words_and_phrases(written, said):
    assert spoken(written, rules("en", *TABLE.items())) == said


@pytest.mark.parametrize("key", ["", "  ", "a b c d e f g h i"])
def test_a_wrong_key_is_an_error(key):
    with pytest.raises(ValueError, match="1 to 8 words"):
        Rules(None, {key: "x"})


# --- while it is being written ------------------------------------------------------------------------------------


def split(text, cuts):
    ends = sorted({min(cut, len(text)) for cut in cuts})
    return [text[a:b] for a, b in zip([0, *ends], [*ends, len(text)], strict=True)]


def read(parts, language="en", table=()):
    reader = Reader(rules(language, *table))
    pieces = [piece for part in parts for piece in reader.feed(part)]
    return [*pieces, *reader.close()]


WRITTEN = [written for written, _ in ENGLISH] + [
    "plain words", "**bold** 😀", "\n- item\n", "| a | b |\n|--|\n", '[a link](http://x.com "t t")', "St", "New",
    "Deal Bar", "\n1. one", "...", "世界", "x" * 100, "https://example.com/" + "a" * 120, "\t", "(", "$", "5", "-",
    "pm", "&", "`", "\r\n",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(WRITTEN), st.text(max_size=12)), max_size=8).flatmap(
    lambda parts: st.sampled_from([" ", "  ", "\n", ""]).map(lambda space: space.join(parts))
)


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(TEXTS, st.lists(st.integers(0, 400), max_size=12), st.sampled_from(["en", "de", "fr", "en-GB"]))
def test_how_the_text_is_divided_makes_no_difference(text, cuts, language):
    table = tuple(TABLE.items())
    assert (
        read(split(text, cuts), language, table) == read([text], language, table) == read(list(text), language, table)
    )


@settings(max_examples=4 * settings.default.max_examples, deadline=None)
@given(TEXTS)
def test_the_pieces_cover_the_text_in_order(text):
    pieces = read([text])
    ends = [piece.end for piece in pieces]
    assert ends == sorted(ends)
    assert not text.strip() or text[ends[-1] :].strip() == ""
    assert all(end <= len(text) for end in ends)
    assert not re.search("[\U0001f600-\U0001f64f\x00-\x08*]{2}", "".join(piece.spoken for piece in pieces))


def test_an_ordinary_word_leaves_with_the_space_behind_it():
    reader = Reader(rules())
    assert reader.feed("Hel") == []
    assert reader.feed("lo") == []
    assert reader.feed(" wor") == [Piece("Hello ", 5)]
    assert reader.feed("ld. ") == [Piece("world. ", 12)]
    assert reader.close() == []


@pytest.mark.parametrize(
    ("parts", "leaves"),
    [
        (["It costs $4.50, ", "okay"], ["It ", "costs ", "four dollars and fifty cents, "]),
        (["5 ", "kg "], ["five kilograms "]),
        (["5 ", "apples "], ["five ", "apples "]),
        (["3:30 ", "pm "], ["three thirty p m "]),
        (["Main St. ", "is "], ["Main ", "Street ", "is "]),
        (["It's 5.\n", ""], ["It's ", "five."]),
    ],
)
def test_only_what_may_still_change_is_held_back(parts, leaves):
    reader = Reader(rules())
    got = [reader.feed(part) for part in parts]
    said = [piece.spoken for pieces in got for piece in pieces if piece.spoken.strip()]
    assert said == leaves


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_what_is_held_back_is_bounded(text):
    reader, at = Reader(rules("en", *TABLE.items())), 0
    for place, letter in enumerate(text, 1):
        for piece in reader.feed(letter):
            at = piece.end
        assert len(text[at:place].split()) <= 10
        assert len(re.sub(r"\s+", " ", text[at:place])) <= 260 or "://" in text


def test_a_word_without_end_is_cut():
    reader = Reader(rules())
    assert [len(piece.spoken) for piece in reader.feed("x" * 1000)] == [80] * 12
    assert say("https://example.com/" + "a" * 500 + " ok") == "example dot com ok"


def test_a_random_text_of_numbers_never_fails_and_says_no_figure():
    chance = random.Random(5)
    signs = "0123456789" * 3 + "$€%.,:/-–+#'\" kmhpx"
    for _ in range(3000):
        text = "".join(chance.choices(signs, k=chance.randint(1, 14)))
        for language in ("en", "de", "es", "fr"):
            assert isinstance(say(text, language), str)


# --- what it needs ------------------------------------------------------------------------------------------------


def test_importing_loads_no_number_words():
    code = "import voiceloop.text, sys; print('unicode_rbnf' in sys.modules, 'voiceloop.text.english' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr("voiceloop.errors.find_spec", lambda name: None)
    monkeypatch.setattr("voiceloop.text.numerals._made", {})
    with pytest.raises(
        MissingExtra, match=r"SpokenText needs the package unicode_rbnf: pip install 'voiceloop\[text\]'"
    ):
        Rules(reading_for("en"))


def test_every_emoji_is_taken_out():
    emoji = pytest.importorskip("emoji", reason="the package emoji, which lists them all, is not installed")
    left = [sign for sign in emoji.EMOJI_DATA if cleaned(sign) not in ("", *"0123456789#*")]
    assert left == []
