"""German."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import compounds, several

__all__ = ["GERMAN"]

_PHRASES = Phrases(
    apology="Entschuldigung, da ist etwas schiefgegangen. Können Sie das noch einmal sagen?",
    not_understood="Entschuldigung, das habe ich nicht verstanden.",
    still_there="Sind Sie noch da?",
    goodbye="Auf Wiederhören.",
    failed="Leider gibt es ein technisches Problem. Bitte rufen Sie später noch einmal an. Auf Wiederhören.",
    one_moment="Einen Moment, bitte.",
    still_working="Ich bin noch dabei.",
)
_NUMBERS = NumberWords(
    digits=several("null, eins, ein, eine, zwei, zwo, drei, vier, fünf, sechs, sieben, acht, neun"),
    pairs=several(
        """
        zehn, elf, zwölf, dreizehn, vierzehn, fünfzehn, sechzehn, siebzehn, achtzehn, neunzehn, zwanzig, dreißig,
        dreissig, vierzig, fünfzig, sechzig, siebzig, achtzig, neunzig
        """
    )
    | compounds(
        ("ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"),
        "und",
        ("zwanzig", "dreißig", "dreissig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"),
    ),
    powers=several("hundert, tausend, einhundert, zweihundert, dreihundert, tausendein"),
    repeats=several("doppel, doppelt, zweimal, dreimal"),
    triples=several("dreimal"),
    joins=several("komma, und"),
    marks=several("strich, bindestrich, schrägstrich, leerzeichen, durchwahl, minus, plus"),
    spelling=several("wie"),
    at=several("at, ät, klammeraffe"),
    dot=several("punkt, dot"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("telefonnummer", 7, 12),
        ("handynummer", 10, 12),
        ("mobilnummer", 10, 12),
        ("rufnummer", 7, 12),
        ("postleitzahl", 5, 5),
        ("plz", 5, 5),
        ("kartennummer", 15, 16),
        ("kreditkarte", 15, 16),
        ("iban", 20, 22),
        ("kundennummer", 4, 20),
        ("bestellnummer", 4, 20),
        ("auftragsnummer", 4, 20),
        ("rechnungsnummer", 4, 20),
        ("vorgangsnummer", 4, 20),
        ("hausnummer", 1, 4),
        ("pin", 4, 6),
        ("geburtsjahr", 2, 4),
        ("unter welcher nummer", 7, 12),
        ("code", 3, 12),
    ),
    digit=several("ziffern, stellen, stellige, stelligen, ziffer"),
    quantity=several(
        """
        wie viele, wieviele, wie viel, wieviel, wie alt, wie lange, um wie viel uhr, welche uhrzeit, welche größe, wie
        oft, welches datum, welcher tag, für wie viele
        """
    ),
    spelled=several("buchstabieren, buchstabiert, e-mail, email, e-mail-adresse, mailadresse"),
    story=several(
        """
        was ist passiert, erzählen sie, beschreiben, erklären, worum geht es, was ist das problem, schildern
        """
    ),
    either=several(
        """
        ist, sind, haben, hat, möchten, wollen, können, kann, soll, sollen, darf, dürfen, war, waren, wird, werden,
        würden, brauchen, noch etwas, sonst noch, passt, stimmt, richtig, gibt
        """
    ),
    which=several(
        """
        was, welche, welcher, welches, welchen, wann, wo, wer, wen, wem, wie, wohin, woher, warum, wofür, womit
        """
    ),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        ja, nein, nee, okay, ok, also, gut, hallo, guten tag, guten morgen, guten abend, hi, grüß gott, moin, ach so,
        ach, na ja, naja, nun, tja, eigentlich, entschuldigung, bitte, danke, gerne, genau, äh, ähm, hm, und, aber,
        oder, dann, ähm ja, schönen guten tag
        """
    ),
    fillers=several(
        """
        äh, ähm, öh, öhm, hm, hmm, tja, moment, einen moment, moment mal, sekunde, mal sehen, wie heißt das, wie sagt
        man, sagen wir, ich schau mal
        """
    ),
    answers=several(
        """
        ja, jawohl, jo, ja bitte, ja gerne, ja genau, nein, nee, nö, nein danke, genau, richtig, stimmt, korrekt, klar,
        natürlich, sicher, gerne, okay, ok, gut, passt, in ordnung, vielleicht, nicht wirklich, noch nicht, auf keinen
        fall, auf jeden fall, das stimmt, das ist richtig, am apparat, das war's, das wär's, das ist alles, sonst
        nichts, falsch, gern, doch, bitte, ja klar
        """
    ),
    agreeing=several("ja, nein, nee, nö, doch, jo"),
    choices=several(
        """
        groß, klein, mittel, der erste, die erste, das erste, der zweite, die zweite, das zweite, der letzte, die
        letzte, beide, keine, keins, alle, egal, heute, morgen, jetzt, später, hier, dort, rot, blau, grün, schwarz,
        weiß, bar, karte, abholung, lieferung, vormittags, nachmittags, abends, deutsch, englisch
        """
    ),
    subjects=several("ich, wir, sie, er, es, du, ihr, man, jemand, niemand, das"),
    verbs=several(
        """
        bin, ist, sind, war, waren, wäre, habe, hab, haben, hat, hatte, hätte, möchte, möchten, will, wollte, wollen,
        kann, können, könnte, könnten, muss, müssen, musste, soll, sollte, darf, dürfte, würde, würden, wird, werden,
        wurde, brauche, brauchen, braucht, nehme, nehmen, nimmt, gehe, geht, ging, komme, kommt, kam, mache, macht,
        heiße, heißt, wohne, wohnt, rufe, suche, sucht, kenne, weiß, glaube, denke, finde, funktioniert, bekomme,
        bekommt, bekam, gibt, gab, liegt, steht, kostet, fehlt, hätten, bräuchte, geben, sagen, schicken, stornieren,
        bestelle, warte, gefällt, passt, stimmt, schreibe, zahle, lebe, arbeite, spreche, dauert
        """
    ),
    auxiliaries=several(
        """
        ist, sind, war, haben, hat, hätten, kann, können, könnten, könnte, darf, dürfte, soll, sollen, muss, müssen,
        wird, werden, würden, möchte, möchten, wollen, will, gibt
        """
    ),
    imperatives=several(
        """
        geben, sagen, schicken, machen, nehmen, buchen, bestellen, stornieren, rufen, verbinden, warten, zeigen,
        ändern, stellen, lassen, helfen
        """
    ),
    asking=several(
        """
        was, welche, welcher, welches, welchen, wann, wo, wer, wen, wem, wie, wohin, woher, warum, wieso, wofür, wie
        viel, wie viele
        """
    ),
    joining=several("wenn, weil, dass, ob, als, während, bevor, nachdem, obwohl, falls, sobald, damit, da"),
    determiners=several(
        """
        der, die, das, den, dem, des, ein, eine, einen, einem, einer, eines, mein, meine, meinen, meinem, meiner, ihr,
        ihre, ihren, ihrem, unser, unsere, kein, keine, keinen, dieser, diese, dieses, diesen, diesem, zwei, drei,
        vier, fünf, sechs, sieben, acht, neun, zehn, jede, jeden, jeder, jedes
        """
    ),
    definite=several("mein, meine, unser, unsere, ihr, dieser, diese, der, die"),
    adjectives=several(
        """
        große, großen, großer, großes, kleine, kleinen, kleiner, kleines, neue, neuen, neuer, neues, alte, alten,
        nächste, nächsten, nächster, nächstes, letzte, letzten, letzter, letztes, erste, ersten, zweite, zweiten, gute,
        guten, guter, gutes, ganze, ganzen, andere, anderen, anderer, anderes, kalte, kalten, heiße, heißen, warme,
        warmen, rote, roten, blaue, blauen, schwarze, schwarzen, weiße, weißen, grüne, grünen, richtige, falsche,
        falschen, halbe, halben, doppelte, schöne, schönen, schnelle, billige, mittlere, mittleren, kommenden,
        kommende, kommender, eigene, eigenen
        """
    ),
    linking=several("ist, sind, war, waren, sehr, zu"),
    wanting=several(
        """
        brauche, brauchen, braucht, nehme, bestelle, suche, kenne, bräuchte, habe, hab, haben, hatte, finde, heiße,
        wohne, denke, glaube, meine, bezüglich
        """
    ),
    alone=several(
        """
        weiter, mach weiter, machen sie weiter, noch mal, nochmal, noch einmal, von vorn, was ist das, was war das,
        wer ist das, wer ist da, das war es, was noch, wozu, wohin, seit wann, warum nicht, noch nicht, ich auch, ich
        auch nicht, gern, gerne, los, na los, was kostet das, wie viel ist das, wie spät ist es
        """
    ),
    joins_nouns=several("und, oder"),
    prepositions=several(
        """
        in, an, auf, für, von, mit, bei, zu, nach, aus, um, über, unter, vor, gegen, ohne, durch, wegen, seit, bis, ab
        """
    ),
    endless=several(
        """
        können sie mir, könnten sie mir, geben sie mir, sagen sie mir, ich hätte gern, ich hätte gerne, hätte gern,
        hätte gerne, ich möchte, ich möchte gern, ich möchte gerne, ich würde gern, ich würde gerne, würde gern, würde
        gerne, ich will, ich wollte, ich brauche, ich suche, es geht um, interessiere mich, ich rufe an, ich habe, wir
        möchten, wir brauchen, mein name ist, ich heiße, meine nummer ist, die nummer ist, meine adresse ist, ein
        bisschen, ein paar, eine flasche, ein glas, eine tasse, ein stück, so ein, so eine, was für ein, was für eine
        """
    ),
    months=several(
        """
        januar, jänner, februar, märz, april, mai, juni, juli, august, september, oktober, november, dezember
        """
    ),
    days=several(
        """
        montag, dienstag, mittwoch, donnerstag, freitag, samstag, sonnabend, sonntag, heute, morgen, übermorgen,
        gestern, wochenende
        """
    ),
)

GERMAN = Language(
    "de",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            und, oder, aber, weil, denn, dass, ob, wenn, falls, obwohl, während, bevor, nachdem, damit, sondern, sowie,
            beziehungsweise, der, die, den, dem, des, ein, eine, einen, einem, einer, eines, mein, meine, meinen,
            meinem, meiner, unser, unsere, unseren, ihr, ihre, ihren, ihrem, kein, keine, keinen, dieser, diese,
            diesen, diesem, jeden, jede, für, von, mit, bei, zu, zum, zur, nach, aus, im, ins, am, ans, beim, vom, vor,
            hinter, über, unter, zwischen, gegen, ohne, durch, wegen, seit, bis, bis zum, ab, um, auf, in, an, als,
            wie, sehr, ganz, ziemlich, etwa, ungefähr, circa, nur, noch, auch, sogar, schon, vielleicht, eigentlich,
            eher, besonders, ich, wir, er, bin, ist, sind, war, waren, wäre, habe, haben, hat, hatte, hätte, hätten,
            möchte, möchten, will, wollte, wollen, kann, können, könnte, könnten, muss, müssen, soll, sollte, darf,
            würde, würden, wird, werden, wurde, können sie, könnten sie, haben sie, kann ich, ist das, wenn sie, dass
            sie, dass ich, ob sie, doppel, herr, frau, doktor, und dann, und zwar, das heißt, zum beispiel, also ich,
            sowohl, entweder, weder, mehr als, weniger als
            """
        ),
        hello="Hallo?",
        finished=several(
            """
            bitte, danke, danke schön, dankeschön, vielen dank, danke sehr, besten dank, das ist alles, das war's, das
            wär's, das wäre alles, mehr nicht, sonst nichts, tschüss, auf wiederhören, auf wiedersehen, schönen tag
            noch, das passt, passt so, in ordnung, alles klar, wenn's geht, wenn möglich, so schnell wie möglich, das
            stimmt, das ist richtig, keine ahnung, weiß ich nicht, ich weiß es nicht, ich weiß nicht, glaube ich, geht
            das, ist das möglich, wäre das möglich, oder so, genau, um acht uhr
            """
        ),
        backchannels=several(
            """
            mhm, mm, mm-hm, hm, hmm, aha, ah, oh, achso, ach so, ja, jaja, ja ja, jo, okay, ok, gut, genau, stimmt,
            richtig, klar, alles klar, sicher, natürlich, schön, super, prima, toll, verstehe, ich verstehe,
            verstanden, in ordnung, ach ja, ah ja, ach was, wirklich, echt, kein problem, äh, ähm, danke, na gut,
            interessant, eben, so so
            """
        ),
        stops=several(
            """
            stopp, stop, halt, warten sie, warte, moment, moment mal, einen moment, nein, nee, falsch, das stimmt
            nicht, entschuldigung, aufhören, hören sie auf, ruhe, genug, vergessen sie es, sekunde, wie bitte,
            langsamer, mitarbeiter
            """
        ),
        greetings=several(
            """
            hallo, guten tag, guten morgen, guten abend, grüß gott, hi, moin, servus, ja, ja hallo, ja bitte, ist da
            jemand, schönen guten tag
            """
        ),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
