"""Spanish."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import several

__all__ = ["SPANISH"]

_PHRASES = Phrases(
    apology="Perdón, algo ha fallado. ¿Puede repetirlo?",
    not_understood="Perdón, no le he entendido.",
    still_there="¿Sigue ahí?",
    goodbye="Adiós.",
    failed="Lo siento, tengo un problema técnico. Por favor, llame más tarde. Adiós.",
    one_moment="Un momento, por favor.",
    still_working="Sigo en ello.",
)
_NUMBERS = NumberWords(
    digits=several("cero, uno, una, un, dos, tres, cuatro, cinco, seis, siete, ocho, nueve"),
    pairs=several(
        """
        diez, once, doce, trece, catorce, quince, dieciséis, dieciseis, diecisiete, dieciocho, diecinueve, veinte,
        veintiuno, veintidós, veintidos, veintitrés, veintitres, veinticuatro, veinticinco, veintiséis, veintiseis,
        veintisiete, veintiocho, veintinueve, treinta, cuarenta, cincuenta, sesenta, setenta, ochenta, noventa, treinta
        y, cuarenta y, cincuenta y, sesenta y, setenta y, ochenta y, noventa y
        """
    ),
    tens=several("treinta y, cuarenta y, cincuenta y, sesenta y, setenta y, ochenta y, noventa y"),
    powers=several(
        """
        cien, ciento, mil, doscientos, trescientos, cuatrocientos, quinientos, seiscientos, setecientos, ochocientos,
        novecientos
        """
    ),
    repeats=several("doble, triple"),
    triples=several("triple"),
    joins=several("coma"),
    marks=several("guion, guión, espacio, barra, menos, más, extensión"),
    spelling=several("de, como"),
    at=several("arroba"),
    dot=several("punto"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("número de teléfono", 9, 9),
        ("teléfono", 9, 9),
        ("móvil", 9, 9),
        ("celular", 8, 11),
        ("código postal", 5, 5),
        ("tarjeta", 15, 16),
        ("número de pedido", 4, 20),
        ("número de cliente", 4, 20),
        ("número de cuenta", 10, 24),
        ("número de reserva", 4, 20),
        ("dni", 8, 8),
        ("pin", 4, 6),
        ("código", 3, 12),
        ("qué número", 7, 12),
    ),
    digit=several("dígitos, dígito, cifras, números"),
    quantity=several(
        """
        cuántos, cuántas, cuánto, qué hora, a qué hora, qué talla, qué tamaño, qué día, qué fecha, qué edad
        """
    ),
    spelled=several("deletrear, deletrea, deletréeme, deletreármelo, correo, correo electrónico, email, e-mail"),
    story=several(
        """
        qué pasó, qué ha pasado, cuénteme, explíqueme, describa, explicar, cuál es el problema, qué le ocurre
        """
    ),
    either=several(
        """
        es, son, está, están, tiene, tienen, quiere, quieres, desea, puede, puedo, podría, le, algo más, hay, ha,
        necesita, prefiere, correcto, verdad, va
        """
    ),
    which=several("qué, cuál, cuáles, cuándo, dónde, quién, cómo, por qué, adónde, en qué, para qué"),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        sí, si, no, vale, bueno, pues, hola, buenos días, buenas tardes, buenas noches, buenas, oiga, mire, eh, em,
        este, ah, a ver, claro, perdón, perdone, disculpe, entonces, y, pero, o, de acuerdo, okay, ok, gracias, por
        favor, perfecto, la verdad, bien
        """
    ),
    fillers=several(
        """
        eh, em, este, ehm, mm, hm, hmm, a ver, un momento, un segundo, espere, déjeme ver, cómo se dice, cómo se llama,
        o sea, digamos
        """
    ),
    answers=several(
        """
        sí, si, sí por favor, sí gracias, sí claro, no, no gracias, claro, claro que sí, por supuesto, vale, de
        acuerdo, correcto, exacto, eso es, así es, está bien, bueno, perfecto, okay, ok, quizás, tal vez, todavía no,
        aún no, nada más, eso es todo, nada, ninguno, ninguna, en absoluto, soy yo, al habla, incorrecto, es correcto
        """
    ),
    agreeing=several("sí, si, no, claro"),
    choices=several(
        """
        grande, pequeño, pequeña, mediano, mediana, el primero, la primera, el segundo, la segunda, el último, los dos,
        ambos, ninguno, todo, todos, cualquiera, hoy, mañana, ahora, luego, aquí, allí, rojo, azul, negro, blanco,
        verde, efectivo, tarjeta, a domicilio, para llevar, por la mañana, por la tarde, español, inglés
        """
    ),
    clauses=several("quiero, quisiera, necesito, tengo, puedo, soy, estoy, llamo, me llamo, busco, creo, hay"),
    subjects=several("yo, tú, usted, él, ella, nosotros, ustedes, ellos, ellas, alguien, nadie, eso, esto"),
    verbs=several(
        """
        es, son, está, están, era, eran, fue, fueron, estaba, ha, han, he, hemos, había, quiero, quiere, quieren,
        queremos, quería, quisiera, puede, pueden, puedo, podemos, podría, podrían, tengo, tiene, tienen, tenemos,
        tenía, necesito, necesita, necesitamos, debo, debe, hay, hace, hacen, hizo, va, voy, vamos, van, viene, vino,
        sé, sabe, creo, parece, funciona, llega, llegó, cuesta, vivo, vive, llamo, gusta, gustaría, falta, dijo,
        dijeron, dice, soy, estoy, pedí, compré, pagué, recibí, reservé, hice, perdí, cobraron, prefiero, busco,
        espero, cambiar, deme, dígame, póngame, quedó, sirve
        """
    ),
    auxiliaries=several("puede, podría, es, son, está, hay, tiene, tienen, puedo, ha, han, va, pueden, podrían"),
    imperatives=several(
        """
        deme, dígame, póngame, cancele, cambie, envíe, mande, llame, espere, repita, ayúdeme, páseme, ponga, haga,
        quite, añada, reserve, confirme
        """
    ),
    asking=several(
        """
        qué, cuál, cuáles, cuándo, dónde, quién, cómo, cuánto, cuánta, cuántos, cuántas, por qué, a qué hora
        """
    ),
    joining=several(
        """
        si, cuando, porque, que, mientras, aunque, donde, antes de que, después de que, como, para que
        """
    ),
    determiners=several(
        """
        el, la, los, las, un, una, unos, unas, mi, mis, su, sus, tu, nuestro, nuestra, este, esta, estos, estas, ese,
        esa, cada, dos, tres, cuatro, cinco, seis, siete, ocho, nueve, diez, algún, alguna, ningún, ninguna, otro,
        otra, mucho, muchos
        """
    ),
    definite=several("el, la, los, las, mi, mis, nuestro, nuestra"),
    adjectives=several(
        """
        gran, próximo, próxima, último, última, primer, primera, segundo, segunda, tercer, tercera, buen, buena, mal,
        nuevo, nueva, mejor, peor, medio, media, mismo, misma
        """
    ),
    linking=several("es, son, está, están, era, muy, más, tan"),
    wanting=several(
        """
        quiero, quisiera, necesito, busco, tengo, tiene, puede, pedí, compré, recibí, prefiero, dijo, dijeron,
        gustaría, creo, reservar, cambiar, pedir, hacer, comprar, saber, tener
        """
    ),
    alone=several(
        """
        siga, sigue, continúe, otra vez, una vez más, de nuevo, qué es, qué es eso, quién es, es eso, qué más, para
        qué, adónde, por qué no, todavía no, aún no, yo también, yo tampoco, vamos, adelante, cuánto es, qué hora es
        """
    ),
    joins_nouns=several("y, o, e, u"),
    prepositions=several("de, en, a, con, por, para, sin, sobre, desde, hasta, entre, hacia, contra, según"),
    endless=several(
        """
        me gustaría, me puede, me podría, puede decirme, podría decirme, quiero un, quería un, mi nombre es, me llamo,
        mi número es, el número es, mi dirección es, el problema es, lo que pasa es, la cosa es, un poco de, un par de,
        una botella de, una taza de, se trata de, llamo por, llamo para, tengo que, hay que, voy a, vamos a, acabo de,
        más de, menos de, antes de, después de, cerca de, a partir de, además de
        """
    ),
    months=several(
        """
        enero, febrero, marzo, abril, mayo, junio, julio, agosto, septiembre, setiembre, octubre, noviembre, diciembre
        """
    ),
    days=several(
        """
        lunes, martes, miércoles, jueves, viernes, sábado, domingo, hoy, mañana, pasado mañana, ayer, anoche
        """
    ),
)

SPANISH = Language(
    "es",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            y, e, o, u, pero, porque, que, aunque, sino, si, cuando, mientras, donde, como, pues, ni, el, la, los, las,
            un, una, unos, unas, mi, mis, su, sus, tu, nuestro, nuestra, este, cada, algún, ningún, otro, otra, de,
            del, en, a, al, con, por, para, sin, sobre, desde, hasta, entre, hacia, contra, según, muy, más, menos,
            tan, casi, sólo, solo, también, además, quizás, aproximadamente, yo, es, son, está, están, era, fue, ha,
            han, he, había, quiero, quisiera, quería, puedo, puede, podría, tengo, tiene, necesito, voy, debo, creo
            que, me, se, te, le, les, nos, lo que, el que, la que, para que, ya que, así que, por ejemplo, es decir, es
            que, doble, señor, señora, doctor, calle, número
            """
        ),
        hello="¿Hola?",
        finished=several(
            """
            por favor, gracias, muchas gracias, eso es todo, nada más, es todo, adiós, hasta luego, hasta pronto, que
            tenga buen día, está bien, de acuerdo, así está bien, cuanto antes, lo antes posible, si es posible, si
            puede ser, no sé, no lo sé, ni idea, creo yo, es posible, puede ser, eso sería todo, perfecto
            """
        ),
        backchannels=several(
            """
            mhm, mm, hm, ajá, aja, ah, oh, sí, sí sí, ya, ya veo, vale, okay, ok, bien, muy bien, claro, claro claro,
            exacto, correcto, de acuerdo, bueno, perfecto, entiendo, ya entiendo, comprendo, eso es, así es, cierto,
            verdad, genial, estupendo, por supuesto, ah sí, no hay problema, gracias, eh
            """
        ),
        stops=several(
            """
            para, pare, espera, espere, no, alto, un momento, un segundo, basta, perdón, perdone, disculpe, oiga,
            cállate, silencio, olvídelo, eso no es, escuche, cómo, más despacio, operador, agente, repita
            """
        ),
        greetings=several(
            """
            hola, buenos días, buenas tardes, buenas noches, buenas, diga, dígame, aló, bueno, sí, sí hola, hay alguien
            """
        ),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
