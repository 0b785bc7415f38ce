"""Dutch."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import compounds, several

__all__ = ["DUTCH"]

_PHRASES = Phrases(
    apology="Sorry, er ging iets mis. Kunt u dat nog eens zeggen?",
    not_understood="Sorry, dat heb ik niet verstaan.",
    still_there="Bent u er nog?",
    goodbye="Tot ziens.",
    failed="Sorry, er is een technisch probleem. Belt u later nog eens. Tot ziens.",
    one_moment="Een ogenblik, alstublieft.",
    still_working="Ik ben er nog mee bezig.",
)
_NUMBERS = NumberWords(
    digits=several("nul, een, één, twee, drie, vier, vijf, zes, zeven, acht, negen"),
    pairs=several(
        """
        tien, elf, twaalf, dertien, veertien, vijftien, zestien, zeventien, achttien, negentien, twintig, dertig,
        veertig, vijftig, zestig, zeventig, tachtig, negentig
        """
    )
    | compounds(
        ("een", "één", "twee", "drie", "vier", "vijf", "zes", "zeven", "acht", "negen"),
        "en",
        ("twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig"),
    )
    | compounds(
        ("twee", "drie"), "ën", ("twintig", "dertig", "veertig", "vijftig", "zestig", "zeventig", "tachtig", "negentig")
    ),
    powers=several("honderd, duizend"),
    repeats=several("dubbel, dubbele, drie keer, twee keer"),
    triples=several("drie keer"),
    joins=several("komma, en"),
    marks=several("streepje, koppelteken, spatie, min, plus, toestel"),
    spelling=several("van, als in"),
    at=several("apenstaartje, at"),
    dot=several("punt, dot"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("telefoonnummer", 9, 10),
        ("mobiele nummer", 10, 10),
        ("mobiel nummer", 10, 10),
        ("postcode", 4, 4),
        ("kaartnummer", 15, 16),
        ("creditcard", 15, 16),
        ("klantnummer", 4, 20),
        ("bestelnummer", 4, 20),
        ("ordernummer", 4, 20),
        ("huisnummer", 1, 4),
        ("pincode", 4, 4),
        ("code", 3, 12),
        ("welk nummer", 7, 12),
    ),
    digit=several("cijfers, cijfer, cijferige"),
    quantity=several(
        """
        hoeveel, hoe oud, hoe lang, hoe laat, welke maat, hoe vaak, welke datum, welke dag, voor hoeveel
        """
    ),
    spelled=several("spellen, spelt, gespeld, e-mail, email, e-mailadres, mailadres"),
    story=several(
        """
        wat is er gebeurd, vertel, vertelt u, beschrijven, uitleggen, waar gaat het over, wat is het probleem
        """
    ),
    either=several(
        """
        is, zijn, heeft, hebt, hebben, wilt, wil, kunt, kan, mag, moet, zal, zou, gaat, klopt, nog iets, anders nog
        iets, was, had, wilde
        """
    ),
    which=several("wat, welke, welk, wanneer, waar, wie, hoe, waarom, waarvoor, waarheen"),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        ja, nee, oké, okay, ok, nou, goed, hallo, goedemorgen, goedemiddag, goedenavond, dag, hoi, eh, ehm, uh, uhm,
        hm, eigenlijk, sorry, alsjeblieft, graag, dus, en, maar, of, dan, nou ja, prima, dank u, bedankt, natuurlijk
        """
    ),
    fillers=several(
        """
        eh, ehm, uh, uhm, hm, hmm, even kijken, momentje, een momentje, moment, wacht even, hoe heet dat, hoe zeg je
        dat, laat me denken
        """
    ),
    answers=several(
        """
        ja, jawel, ja hoor, ja graag, ja klopt, nee, nee dank u, nee bedankt, nee hoor, klopt, dat klopt, zeker,
        natuurlijk, graag, prima, oké, ok, goed, misschien, niet echt, nog niet, juist, inderdaad, precies, dat is
        alles, dat was het, niets, niks, fout, spreekt u mee
        """
    ),
    agreeing=several("ja, nee, jawel"),
    choices=several(
        """
        groot, grote, klein, kleine, middel, medium, de eerste, de tweede, de laatste, allebei, geen, alles, maakt niet
        uit, vandaag, morgen, nu, later, hier, daar, rood, blauw, zwart, wit, groen, contant, pin, afhalen, bezorgen,
        's ochtends, 's middags, 's avonds, nederlands, engels
        """
    ),
    subjects=several("ik, wij, we, u, jij, je, hij, zij, ze, het, er, dat, iemand, niemand"),
    verbs=several(
        """
        ben, is, zijn, was, waren, heb, heeft, hebben, had, hadden, wil, wilt, wilde, willen, kan, kunt, kunnen, kon,
        moet, moeten, moest, mag, zal, zou, zouden, zullen, word, wordt, werd, ga, gaat, ging, kom, komt, kwam, doe,
        doet, maak, maakt, heet, woon, woont, bel, belt, zoek, zoekt, weet, denk, vind, vindt, werkt, krijg, krijgt,
        kreeg, neem, neemt, nodig, kost, staat, ligt, lijkt, past, klopt, geef, geeft, zeg, zegt, stuur, bestel, wacht,
        betaal, werk, spreek, duurt, annuleer, bestelde, betaalde
        """
    ),
    auxiliaries=several(
        """
        is, zijn, was, heeft, hebben, heb, kan, kunt, kunnen, mag, moet, zal, zou, zouden, wil, wilt, gaat, wordt, had
        """
    ),
    imperatives=several(
        """
        geef, zeg, stuur, maak, neem, boek, bestel, annuleer, bel, verbind, wacht, laat, help, verander, doe, zet
        """
    ),
    asking=several("wat, welke, welk, wanneer, waar, wie, hoe, hoeveel, waarom, hoe laat, hoe lang"),
    joining=several("als, omdat, dat, of, terwijl, voordat, nadat, hoewel, wanneer, zodra, zodat, toen, die"),
    determiners=several(
        """
        de, het, een, mijn, uw, jouw, zijn, haar, ons, onze, hun, deze, dit, die, dat, geen, elke, elk, ieder, iedere,
        twee, drie, vier, vijf, zes, zeven, acht, negen, tien, veel, enkele
        """
    ),
    definite=several("mijn, onze, ons, uw, de, deze"),
    adjectives=several(
        """
        grote, groot, kleine, klein, nieuwe, nieuw, oude, oud, volgende, volgend, vorige, laatste, eerste, tweede,
        derde, goede, hele, andere, ander, koude, warme, hete, rode, blauwe, zwarte, witte, groene, juiste, verkeerde,
        halve, dubbele, mooie, snelle, goedkope, eigen, extra, komende, gewone, speciale
        """
    ),
    linking=several("is, zijn, was, waren, heel, erg, te, zo"),
    wanting=several(
        """
        wil, wilt, wilde, zoek, neem, bestel, krijg, heb, had, vind, denk, bedoel, noem, betreffende, heet
        """
    ),
    alone=several(
        """
        ga door, gaat u door, nog een keer, nog eens, opnieuw, wat is het, wat is dat, wie is het, wie is dat, dat was
        het, wat nog meer, waarvoor, waarheen, waarom niet, nog niet, ik ook, ik ook niet, kom op, hoeveel is het, hoe
        laat is het
        """
    ),
    joins_nouns=several("en, of"),
    prepositions=several(
        """
        in, aan, op, voor, van, met, bij, naar, uit, om, over, onder, tegen, zonder, door, vanaf, tot, sinds
        """
    ),
    endless=several(
        """
        kunt u mij, kunt u me, kunt u, zou u, geef me, geef mij, ik wil, ik wil graag, ik wilde, ik wilde graag, ik zou
        graag, ik zou, zou graag, ik heb, ik zoek, ik bel over, het gaat om, het gaat over, mijn naam is, ik heet, mijn
        nummer is, mijn adres is, het nummer is, een beetje, een paar, een fles, een kop, een glas, een stuk, zo'n, wat
        voor, een soort
        """
    ),
    months=several(
        """
        januari, februari, maart, april, mei, juni, juli, augustus, september, oktober, november, december
        """
    ),
    days=several(
        """
        maandag, dinsdag, woensdag, donderdag, vrijdag, zaterdag, zondag, vandaag, morgen, overmorgen, gisteren,
        weekend, vanavond
        """
    ),
)

DUTCH = Language(
    "nl",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            en, of, maar, omdat, want, dat, als, terwijl, voordat, nadat, hoewel, zodat, dus, de, het, een, mijn, uw,
            onze, ons, hun, deze, dit, geen, elke, iedere, voor, van, met, bij, naar, uit, om, te, over, onder, tegen,
            zonder, door, tussen, sinds, vanaf, tot, in, op, aan, achter, ongeveer, rond, heel, erg, vrij, alleen, ook,
            nog, zelfs, misschien, eigenlijk, vooral, ik, wij, we, hij, ben, is, zijn, was, waren, heb, heeft, hebben,
            had, hadden, wil, wilt, wilde, willen, kan, kunt, kunnen, moet, moeten, mag, zal, zou, zouden, word, wordt,
            werd, kunt u, heeft u, kan ik, mag ik, is het, als u, dat u, dat ik, of u, dubbel, meneer, mevrouw, dokter,
            en dan, bijvoorbeeld, dat wil zeggen, meer dan, minder dan, zowel
            """
        ),
        hello="Hallo?",
        finished=several(
            """
            alstublieft, alsjeblieft, graag, dank u, dank u wel, dank je, dank je wel, dankjewel, bedankt, dat is
            alles, dat was het, dat was alles, verder niets, dag, doei, tot ziens, tot straks, fijne dag nog, dat is
            goed, is goed, prima zo, zo snel mogelijk, als dat kan, als het kan, dat klopt, geen idee, weet ik niet,
            dat weet ik niet, ik weet het niet, denk ik, kan dat, is dat mogelijk, of zo
            """
        ),
        backchannels=several(
            """
            mhm, mm, mm-hm, hm, hmm, aha, ah, oh, ja, ja ja, jaja, oké, okay, ok, goed, juist, klopt, precies,
            inderdaad, zeker, natuurlijk, prima, mooi, leuk, fijn, top, snap ik, ik snap het, ik begrijp het, begrepen,
            duidelijk, ach zo, o ja, oh ja, echt, echt waar, geen probleem, eh, uh, dank u, bedankt
            """
        ),
        stops=several(
            """
            stop, wacht, wacht even, nee, ho, moment, momentje, een momentje, sorry, pardon, stil, genoeg, laat maar,
            dat klopt niet, fout, luister, wat zegt u, langzamer, medewerker, hou op
            """
        ),
        greetings=several(
            """
            hallo, hoi, dag, goedemorgen, goedemiddag, goedenavond, goeiedag, ja, ja hallo, met wie, is daar iemand
            """
        ),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
