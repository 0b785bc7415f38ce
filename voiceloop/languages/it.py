"""Italian."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import compounds, several

__all__ = ["ITALIAN"]

_PHRASES = Phrases(
    apology="Scusi, qualcosa è andato storto. Può ripetere?",
    not_understood="Scusi, non ho capito.",
    still_there="È ancora lì?",
    goodbye="Arrivederci.",
    failed="Mi dispiace, ho un problema tecnico. Richiami più tardi, per favore. Arrivederci.",
    one_moment="Un momento, per favore.",
    still_working="Ci sto ancora lavorando.",
)
_NUMBERS = NumberWords(
    digits=several("zero, uno, una, un, due, tre, quattro, cinque, sei, sette, otto, nove"),
    pairs=several(
        """
        dieci, undici, dodici, tredici, quattordici, quindici, sedici, diciassette, diciotto, diciannove, venti,
        trenta, quaranta, cinquanta, sessanta, settanta, ottanta, novanta
        """
    )
    | compounds(
        ("venti", "trenta", "quaranta", "cinquanta", "sessanta", "settanta", "ottanta", "novanta"),
        "",
        ("due", "tre", "tré", "quattro", "cinque", "sei", "sette", "nove"),
    )
    | compounds(
        ("vent", "trent", "quarant", "cinquant", "sessant", "settant", "ottant", "novant"), "", ("uno", "otto", "un")
    ),
    powers=several("cento, mille, mila, duecento, trecento, quattrocento, cinquecento"),
    repeats=several("doppio, doppia, triplo, due volte, tre volte"),
    triples=several("triplo, tre volte"),
    joins=several("virgola"),
    marks=several("trattino, spazio, barra, meno, più, interno"),
    spelling=several("come, di"),
    at=several("chiocciola, at"),
    dot=several("punto"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("numero di telefono", 8, 11),
        ("telefono", 8, 11),
        ("cellulare", 9, 10),
        ("cap", 5, 5),
        ("codice postale", 5, 5),
        ("carta", 15, 16),
        ("numero d'ordine", 4, 20),
        ("numero dell'ordine", 4, 20),
        ("codice cliente", 4, 20),
        ("numero di prenotazione", 4, 20),
        ("pin", 4, 6),
        ("codice", 3, 16),
        ("quale numero", 8, 11),
    ),
    digit=several("cifre, cifra, numeri"),
    quantity=several(
        """
        quanti, quante, quanto, quanta, che ora, a che ora, che taglia, che misura, che giorno, che data, quanti anni
        """
    ),
    spelled=several(
        """
        compitare, scandire, lettera per lettera, e-mail, email, mail, posta elettronica, sillabare
        """
    ),
    story=several(
        """
        cosa è successo, che cosa è successo, racconti, mi racconti, descriva, spieghi, qual è il problema, mi spieghi
        """
    ),
    either=several(
        """
        è, sono, ha, hanno, vuole, desidera, può, posso, potrebbe, vorrebbe, c'è, ci sono, altro, qualcos'altro, le,
        va, serve, preferisce, giusto, corretto
        """
    ),
    which=several("che, cosa, quale, quali, qual, quando, dove, chi, come, perché, dov'è, cos'è"),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        sì, si, no, ok, okay, allora, beh, bene, buongiorno, buonasera, salve, ciao, pronto, senta, guardi, eh, ehm,
        uhm, ah, ecco, certo, scusi, mi scusi, quindi, e, ma, o, poi, va bene, grazie, per favore, perfetto, in realtà,
        dunque
        """
    ),
    fillers=several(
        """
        eh, ehm, uhm, mm, hm, hmm, allora, un attimo, un momento, vediamo, mi faccia vedere, come si dice, come si
        chiama, cioè, diciamo, aspetti
        """
    ),
    answers=several(
        """
        sì, si, sì grazie, sì certo, sì per favore, no, no grazie, certo, certamente, va bene, d'accordo, esatto,
        giusto, corretto, ok, okay, perfetto, forse, non ancora, non proprio, basta così, nient'altro, niente, nessuno,
        nessuna, volentieri, sono io, sbagliato, assolutamente, è corretto, è giusto, per niente
        """
    ),
    agreeing=several("sì, si, no, certo"),
    choices=several(
        """
        grande, piccolo, piccola, medio, media, il primo, la prima, il secondo, la seconda, l'ultimo, l'ultima,
        entrambi, tutti e due, nessuno, tutto, qualsiasi, oggi, domani, adesso, dopo, qui, lì, rosso, blu, nero,
        bianco, verde, contanti, carta, da asporto, a domicilio, mattina, pomeriggio, sera, italiano, inglese
        """
    ),
    clauses=several(
        """
        vorrei, voglio, ho, sono, posso, cerco, chiamo, mi chiamo, devo, c'è, ci sono, credo, penso, abito, ho bisogno
        """
    ),
    subjects=several("io, tu, lei, lui, noi, voi, loro, qualcuno, nessuno, questo, quello"),
    verbs=several(
        """
        è, sono, era, erano, ha, hanno, ho, abbiamo, aveva, avevo, vorrei, vorremmo, vorrebbe, voglio, vuole, volevo,
        posso, può, possiamo, potrebbe, potrei, devo, deve, dovrei, fa, fanno, faccio, va, vado, andiamo, viene, vengo,
        so, sa, credo, penso, sembra, funziona, arriva, arrivato, costa, abito, abita, chiamo, cerco, prendo, prende,
        manca, detto, ricevuto, ordinato, comprato, pagato, prenotato, serve, servono, piace, piacerebbe, preferisco,
        dia, dica, metta, cancelli, apre, chiude, aspetto, parlo, c'è, cambiare
        """
    ),
    auxiliaries=several("può, potrebbe, è, sono, ha, avete, c'è, ci sono, posso, deve, va, possiamo"),
    imperatives=several(
        """
        mi dia, dia, dica, mi dica, metta, cancelli, cambi, mandi, chiami, aspetti, ripeta, mi aiuti, mi passi, faccia,
        tolga, aggiunga, prenoti, confermi
        """
    ),
    asking=several(
        """
        che, cosa, quale, quali, quando, dove, chi, come, quanto, quanta, quanti, quante, perché, a che ora
        """
    ),
    joining=several("se, quando, perché, che, mentre, anche se, dove, prima che, dopo che, siccome, come"),
    determiners=several(
        """
        il, lo, la, i, gli, le, un, uno, una, mio, mia, miei, mie, suo, sua, suoi, sue, nostro, nostra, questo, questa,
        questi, queste, quel, quella, ogni, qualche, due, tre, quattro, cinque, sei, sette, otto, nove, dieci, altro,
        altra, nessun, nessuna, molti
        """
    ),
    definite=several("il, la, i, gli, le, mio, mia"),
    adjectives=several(
        """
        grande, piccolo, piccola, nuovo, nuova, prossimo, prossima, primo, prima, secondo, seconda, terzo, terza, buon,
        buono, buona, stesso, stessa, mezzo, mezza, ultimo, ultima, doppio, doppia, bel, bella
        """
    ),
    linking=several("è, sono, era, molto, più, troppo, così"),
    wanting=several(
        """
        vorrei, voglio, cerco, prendo, ho, ha, ricevuto, ordinato, comprato, preferisco, detto, fare, prendere, avere,
        sapere, prenotare, cambiare, ordinare, credo, penso, piacerebbe
        """
    ),
    alone=several(
        """
        continui, continua, vai avanti, vada avanti, ancora, ancora una volta, di nuovo, che cos'è, cos'è, che cosa è,
        chi è, che altro, a che serve, dove, perché no, non ancora, anch'io, neanch'io, nemmeno io, andiamo, quanto è,
        che ore sono, che ora è
        """
    ),
    joins_nouns=several("e, o, ed"),
    prepositions=several("di, a, da, in, con, su, per, tra, fra, senza, verso, contro, sotto, sopra"),
    endless=several(
        """
        mi può, mi potrebbe, può dirmi, potrebbe dirmi, mi piacerebbe, vorrei un, vorrei una, il mio nome è, mi chiamo,
        il mio numero è, il numero è, il mio indirizzo è, il problema è, si tratta di, chiamo per, un po' di, un paio
        di, una bottiglia di, una tazza di, ho bisogno di, bisogno di, prima di, invece di, vicino a, a partire da, più
        di, meno di, oltre a, fino a
        """
    ),
    months=several(
        """
        gennaio, febbraio, marzo, aprile, maggio, giugno, luglio, agosto, settembre, ottobre, novembre, dicembre
        """
    ),
    days=several(
        """
        lunedì, martedì, mercoledì, giovedì, venerdì, sabato, domenica, oggi, domani, dopodomani, ieri, stasera
        """
    ),
)

ITALIAN = Language(
    "it",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            e, ed, o, ma, perché, che, se, quando, mentre, anche se, siccome, quindi, né, oppure, però, il, lo, la, i,
            gli, le, l', un, uno, una, un', mio, mia, miei, mie, suo, sua, suoi, sue, nostro, nostra, questa, ogni,
            qualche, di, del, dello, della, dell', dei, degli, delle, a, al, allo, alla, ai, agli, alle, da, dal,
            dalla, dai, dalle, in, nel, nella, nei, nelle, con, col, su, sul, sulla, per, tra, fra, senza, verso,
            contro, fino a, circa, quasi, molto, più, meno, troppo, solo, soltanto, anche, ancora, forse, io, è, sono,
            era, ho, ha, hanno, abbiamo, vorrei, voglio, posso, può, potrebbe, devo, non, mi, si, ti, ci, vi, ne, c'è,
            ci sono, quello che, ciò che, come, dove, cui, il quale, per esempio, cioè, credo che, penso che, doppio,
            signor, signora, dottor, via, numero, e poi, ed anche
            """
        ),
        hello="Pronto?",
        finished=several(
            """
            per favore, per piacere, per cortesia, grazie, grazie mille, molte grazie, basta così, è tutto,
            nient'altro, arrivederci, a presto, buona giornata, buona serata, va bene, va bene così, d'accordo, al più
            presto, il prima possibile, se possibile, se è possibile, non lo so, non so, nessuna idea, credo, penso, è
            possibile, perfetto, a dopo
            """
        ),
        backchannels=several(
            """
            mhm, mm, hm, ah, oh, eh, sì, sì sì, si, già, ok, okay, va bene, bene, certo, esatto, giusto, capito, ho
            capito, capisco, d'accordo, perfetto, ottimo, ah sì, ah ecco, ecco, vero, è vero, davvero, bello, chiaro,
            nessun problema, grazie, certamente, appunto
            """
        ),
        stops=several(
            """
            ferma, fermo, fermi, basta, aspetta, aspetti, no, un attimo, un momento, un secondo, scusi, mi scusi, stop,
            silenzio, lasci stare, lascia stare, non è vero, senta, come, più piano, operatore, ripeta, alt
            """
        ),
        greetings=several("pronto, buongiorno, buonasera, salve, ciao, sì, sì pronto, c'è qualcuno"),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
