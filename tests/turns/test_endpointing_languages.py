"""The other languages: what sounds finished, and what does not."""

from __future__ import annotations

import pytest

from voiceloop.languages import LANGUAGES
from voiceloop.turns.adaptive import AdaptiveEndpointing
from voiceloop.turns.endpointing import SoFar
from voiceloop.turns.events import TurnOptions

OPTIONS = TurnOptions(finished=0.35, unsure=1.2, unfinished=1.6)
FINISHED = {
    "de": [
        ("", "Zwei Kaffee bitte"), ("", "Ich habe eine Frage zu meiner Rechnung"), ("Ist das richtig?", "Ja, genau"),
        ("Wie viele Personen?", "vier"), ("", "Das ist alles"),
        ("Wie ist Ihre Postleitzahl?", "eins null eins eins fünf"),
    ],
    "es": [
        ("", "Dos cafés por favor"), ("", "Quiero cancelar mi pedido"), ("¿Es correcto?", "sí, claro"),
        ("¿Cuántas personas?", "cuatro"), ("", "eso es todo"), ("¿Cuál es su código postal?", "dos ocho cero uno tres"),
    ],
    "fr": [
        ("", "Deux cafés, s'il vous plaît"), ("", "Je voudrais annuler ma commande"),
        ("Est-ce exact ?", "oui, tout à fait"),
        ("Pour combien de personnes ?", "quatre"), ("", "c'est tout"),
        ("Quel est votre code postal ?", "sept cinq zéro un un"),
    ],
    "it": [
        ("", "Due caffè per favore"), ("", "Vorrei cancellare il mio ordine"), ("È corretto?", "sì, esatto"),
        ("Quante persone?", "quattro"), ("", "basta così"), ("Qual è il CAP?", "zero zero uno otto sette"),
    ],
    "nl": [
        ("", "Twee koffie alstublieft"), ("", "Ik heb een vraag over mijn rekening"), ("Klopt dat?", "ja hoor"),
        ("Voor hoeveel personen?", "vier"), ("", "dat was het"), ("Wat is uw postcode?", "een nul een twee"),
    ],
    "pt": [
        ("", "Dois cafés por favor"), ("", "Quero cancelar o meu pedido"), ("Está correto?", "sim, claro"),
        ("Quantas pessoas?", "quatro"), ("", "é só isso"),
        ("Qual é o seu NIF?", "um dois três quatro cinco seis sete oito nove"),
    ],
}  # fmt: skip
UNFINISHED = {
    "de": ["Ich möchte", "Ich hätte gern einen", "Einen großen", "und ähm", "Können Sie mir",
            "null eins sieben", "wenn ich morgen komme"],
    "es": ["Quiero un", "Me gustaría", "y eh", "un café con", "seis uno dos", "¿Me puede", "el próximo"],
    "fr": ["Je voudrais", "et euh", "un café avec", "zéro six douze", "Est-ce que vous", "la prochaine", "parce que"],
    "it": ["Vorrei un", "e ehm", "un caffè con", "tre quattro sette", "Mi può", "il prossimo", "perché"],
    "nl": ["Ik wil graag een", "en eh", "een koffie met", "nul zes een", "Kunt u mij", "de volgende", "omdat"],
    "pt": ["Eu queria um", "e hum", "um café com", "nove um dois", "Gostaria de", "o próximo", "porque"],
}  # fmt: skip


def seconds(tag: str, asked: str, text: str) -> float:
    return AdaptiveEndpointing().wait(SoFar(text, asked, cues=LANGUAGES[tag].cues), OPTIONS).seconds


@pytest.mark.parametrize(("tag", "asked", "text"), [(tag, *each) for tag, rows in FINISHED.items() for each in rows])
def test_what_is_whole_is_waited_for_shortly(tag: str, asked: str, text: str) -> None:
    assert seconds(tag, asked, text) <= 0.4


@pytest.mark.parametrize(("tag", "text"), [(tag, each) for tag, rows in UNFINISHED.items() for each in rows])
def test_what_is_half_is_waited_for_longer(tag: str, text: str) -> None:
    assert seconds(tag, "", text) >= 1.0


@pytest.mark.parametrize("tag", sorted(LANGUAGES))
def test_every_language_has_every_cue(tag: str) -> None:
    cues = LANGUAGES[tag].cues
    for words in (cues.unfinished, cues.finished, cues.backchannels, cues.stops, cues.greetings, cues.grammar.verbs):
        assert len(words) >= 8
    assert len(cues.grammar.months) >= 12
    assert not cues.backchannels & cues.stops
