"""Portuguese."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import several

__all__ = ["PORTUGUESE"]

_PHRASES = Phrases(
    apology="Desculpe, algo correu mal. Pode repetir?",
    not_understood="Desculpe, não percebi.",
    still_there="Ainda está aí?",
    goodbye="Adeus.",
    failed="Desculpe, tenho um problema técnico. Por favor, ligue mais tarde. Adeus.",
    one_moment="Um momento, por favor.",
    still_working="Ainda estou a tratar disso.",
)
_NUMBERS = NumberWords(
    digits=several("zero, um, uma, dois, duas, três, quatro, cinco, seis, meia, sete, oito, nove"),
    pairs=several(
        """
        dez, onze, doze, treze, catorze, quatorze, quinze, dezesseis, dezasseis, dezessete, dezassete, dezoito,
        dezenove, dezanove, vinte, trinta, quarenta, cinquenta, sessenta, setenta, oitenta, noventa, vinte e, trinta e,
        quarenta e, cinquenta e, sessenta e, setenta e, oitenta e, noventa e
        """
    ),
    tens=several("vinte e, trinta e, quarenta e, cinquenta e, sessenta e, setenta e, oitenta e, noventa e"),
    powers=several("cem, cento, mil, duzentos, trezentos, quatrocentos, quinhentos"),
    repeats=several("duplo, dobro, triplo, dois, duas vezes, três vezes"),
    triples=several("triplo, três vezes"),
    joins=several("vírgula"),
    marks=several("traço, hífen, espaço, barra, menos, mais, ramal, extensão"),
    spelling=several("de"),
    at=several("arroba"),
    dot=several("ponto"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("número de telefone", 9, 11),
        ("telefone", 9, 11),
        ("telemóvel", 9, 9),
        ("celular", 10, 11),
        ("código postal", 7, 7),
        ("cep", 8, 8),
        ("cpf", 11, 11),
        ("nif", 9, 9),
        ("cartão", 15, 16),
        ("número do pedido", 4, 20),
        ("número da encomenda", 4, 20),
        ("número de cliente", 4, 20),
        ("pin", 4, 6),
        ("código", 3, 12),
        ("qual número", 9, 11),
    ),
    digit=several("dígitos, dígito, números, algarismos"),
    quantity=several(
        """
        quantos, quantas, quanto, quanta, que horas, a que horas, que tamanho, qual tamanho, que dia, que data, qual
        data, quantos anos
        """
    ),
    spelled=several("soletrar, soletre, soletra, e-mail, email, correio eletrónico"),
    story=several(
        """
        o que aconteceu, o que houve, conte, descreva, explique, qual é o problema, o que se passa
        """
    ),
    either=several(
        """
        é, são, está, estão, tem, têm, quer, deseja, gostaria, pode, posso, poderia, há, mais alguma coisa, algo mais,
        precisa, prefere, certo, correto, vai
        """
    ),
    which=several("que, qual, quais, quando, onde, quem, como, por que, porquê, aonde"),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        sim, não, ok, okay, bom, bem, então, olá, oi, bom dia, boa tarde, boa noite, alô, estou, olhe, olha, é, hum,
        ah, pois, claro, desculpe, portanto, e, mas, ou, depois, está bem, tá, obrigado, obrigada, por favor, perfeito,
        na verdade, certo
        """
    ),
    fillers=several(
        """
        hum, hm, hmm, éh, eh, ahm, tipo, um momento, um instante, só um momento, só um minuto, deixa ver, deixe ver,
        como se diz, como se chama, quer dizer, digamos, espera
        """
    ),
    answers=several(
        """
        sim, sim por favor, sim obrigado, sim obrigada, não, não obrigado, não obrigada, claro, claro que sim, com
        certeza, certo, correto, exato, exatamente, isso, isso mesmo, está bem, tá bom, ok, okay, pois é, pois, talvez,
        ainda não, é só isso, é tudo, só isso, mais nada, nada, nenhum, nenhuma, de modo nenhum, sou eu, o próprio, a
        própria, errado, pode ser, perfeito, é
        """
    ),
    agreeing=several("sim, não, claro"),
    choices=several(
        """
        grande, pequeno, pequena, médio, média, o primeiro, a primeira, o segundo, a segunda, o último, a última, os
        dois, ambos, nenhum, tudo, todos, qualquer um, tanto faz, hoje, amanhã, agora, depois, aqui, ali, vermelho,
        azul, preto, branco, verde, dinheiro, cartão, para levar, entrega, de manhã, à tarde, à noite, português,
        inglês
        """
    ),
    clauses=several("quero, queria, gostaria, preciso, tenho, posso, sou, estou, moro, ligo, procuro, acho, há"),
    subjects=several("eu, tu, você, ele, ela, nós, vocês, eles, elas, alguém, ninguém, isso, isto, a gente"),
    verbs=several(
        """
        é, são, está, estão, era, eram, foi, foram, estava, tem, têm, temos, tinha, quero, quer, queremos, queria,
        queríamos, gostaria, gostava, pode, podem, posso, podemos, poderia, podia, tenho, preciso, precisa, precisamos,
        devo, deve, há, faz, fazem, fez, vai, vou, vamos, vão, vem, veio, sei, sabe, acho, parece, funciona, chega,
        chegou, custa, moro, mora, chamo, ligo, falta, disse, disseram, diz, sou, estou, pedi, comprei, paguei, recebi,
        reservei, fiz, perdi, cobraram, prefiro, procuro, espero, serve, abre, fecha, quebrou, dê, diga, ponha,
        coloque, cancele
        """
    ),
    auxiliaries=several("pode, poderia, é, são, está, há, tem, têm, posso, vai, podem, podia"),
    imperatives=several(
        """
        dê, diga, me diga, ponha, coloque, cancele, mude, envie, mande, ligue, espere, repita, ajude, passe, faça,
        tire, acrescente, reserve, confirme
        """
    ),
    asking=several(
        """
        que, qual, quais, quando, onde, quem, como, quanto, quanta, quantos, quantas, por que, a que horas, o que
        """
    ),
    joining=several("se, quando, porque, que, enquanto, embora, onde, antes que, depois que, como, para que"),
    determiners=several(
        """
        o, a, os, as, um, uma, uns, umas, meu, minha, meus, minhas, seu, sua, seus, suas, nosso, nossa, este, esta,
        estes, estas, esse, essa, cada, dois, duas, três, quatro, cinco, seis, sete, oito, nove, dez, algum, alguma,
        nenhum, nenhuma, outro, outra, muitos
        """
    ),
    definite=several("o, a, os, as, meu, minha, nosso, nossa"),
    adjectives=several(
        """
        grande, próximo, próxima, último, última, primeiro, primeira, segundo, segunda, terceiro, terceira, bom, boa,
        mau, novo, nova, melhor, pior, meio, mesmo, mesma, pequeno, pequena
        """
    ),
    linking=several("é, são, está, estão, era, muito, mais, tão"),
    wanting=several(
        """
        quero, queria, gostaria, preciso, procuro, tenho, tem, pode, pedi, comprei, recebi, prefiro, disse, disseram,
        acho, reservar, mudar, pedir, fazer, comprar, saber, ter
        """
    ),
    alone=several(
        """
        continue, continua, siga, outra vez, mais uma vez, de novo, o que é, o que é isso, quem é, é isso, o que mais,
        para quê, aonde, por que não, ainda não, eu também, eu também não, vamos, quanto é, que horas são
        """
    ),
    joins_nouns=several("e, ou"),
    prepositions=several("de, em, a, com, por, para, sem, sobre, desde, até, entre, contra"),
    endless=several(
        """
        gostaria de, eu gostaria de, gostava de, eu queria, eu quero, eu preciso, preciso de, me pode, pode me, pode
        dizer-me, o meu nome é, meu nome é, chamo-me, me chamo, o meu número é, meu número é, o número é, a minha
        morada é, meu endereço é, o problema é, o que acontece é, trata-se de, ligo por causa de, um pouco de, um par
        de, uma garrafa de, uma chávena de, tenho que, tenho de, vou a, acabo de, mais de, menos de, antes de, depois
        de, perto de, a partir de, além de, por causa de, em vez de
        """
    ),
    months=several(
        """
        janeiro, fevereiro, março, abril, maio, junho, julho, agosto, setembro, outubro, novembro, dezembro
        """
    ),
    days=several(
        """
        segunda, terça, quarta, quinta, sexta, segunda-feira, terça-feira, quarta-feira, quinta-feira, sexta-feira,
        sábado, domingo, hoje, amanhã, ontem, depois de amanhã
        """
    ),
)

PORTUGUESE = Language(
    "pt",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            e, ou, mas, porque, que, se, quando, enquanto, embora, onde, como, nem, pois, então, o, a, os, as, um, uma,
            uns, umas, meu, minha, meus, minhas, seu, sua, seus, suas, nosso, nossa, cada, algum, nenhum, outro, outra,
            de, do, da, dos, das, dum, duma, em, no, na, nos, nas, num, numa, à, ao, aos, às, com, por, pelo, pela,
            para, pra, pro, sem, sobre, desde, até, entre, contra, muito, mais, menos, tão, quase, só, apenas, também,
            ainda, talvez, cerca de, aproximadamente, eu, é, são, está, estão, era, foi, tem, têm, tenho, quero,
            queria, gostaria, posso, pode, poderia, preciso, vou, devo, não, me, lhe, o que, do que, para que, já que,
            por exemplo, ou seja, é que, acho que, duplo, senhor, senhora, doutor, rua, número, e depois, e também
            """
        ),
        hello="Alô?",
        finished=several(
            """
            por favor, se faz favor, obrigado, obrigada, muito obrigado, muito obrigada, é tudo, é só isso, só isso,
            mais nada, é só, adeus, tchau, até logo, até já, bom dia para si, está bem, tá bom, pode ser, o mais rápido
            possível, o quanto antes, se possível, se for possível, não sei, não faço ideia, acho eu, é possível,
            perfeito, está ótimo
            """
        ),
        backchannels=several(
            """
            mhm, mm, hm, hum, aham, uhum, ah, oh, sim, sim sim, é, ok, okay, certo, está bem, tá, tá bom, bem, muito
            bem, claro, exato, exatamente, isso, isso mesmo, pois, pois é, pois pois, entendo, entendi, percebo, já
            percebi, compreendo, perfeito, ótimo, ah sim, verdade, é verdade, a sério, sério, legal, fixe, sem
            problema, obrigado, obrigada, com certeza
            """
        ),
        stops=several(
            """
            pare, para, pára, espere, espera, não, um momento, um instante, basta, chega, desculpe, calma, alto,
            silêncio, cale-se, esqueça, deixe estar, não é isso, escute, ouça, como, mais devagar, operador, atendente,
            repita, stop
            """
        ),
        greetings=several(
            """
            alô, olá, oi, bom dia, boa tarde, boa noite, estou, está lá, sim, sim olá, tem alguém aí, está aí alguém
            """
        ),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
