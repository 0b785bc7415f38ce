"""French."""

from __future__ import annotations

from voiceloop.grammar import AskedFor, Grammar, NumberWords
from voiceloop.language import Cues, Language, Phrases
from voiceloop.languages.table import several

__all__ = ["FRENCH"]

_PHRASES = Phrases(
    apology="Désolé, il y a eu un problème. Pouvez-vous répéter ?",
    not_understood="Désolé, je n'ai pas compris.",
    still_there="Êtes-vous toujours là ?",
    goodbye="Au revoir.",
    failed="Désolé, j'ai un problème technique. Rappelez plus tard, s'il vous plaît. Au revoir.",
    one_moment="Un instant, s'il vous plaît.",
    still_working="J'y travaille encore.",
)
_NUMBERS = NumberWords(
    digits=several("zéro, un, une, deux, trois, quatre, cinq, six, sept, huit, neuf"),
    pairs=several(
        """
        dix, onze, douze, treize, quatorze, quinze, seize, dix sept, dix huit, dix neuf, vingt, trente, quarante,
        cinquante, soixante, septante, huitante, octante, nonante, quatre vingt, quatre vingts, soixante dix, soixante
        et onze, soixante onze, soixante douze, soixante treize, soixante quatorze, soixante quinze, soixante seize,
        soixante dix sept, soixante dix huit, soixante dix neuf, quatre vingt dix, quatre vingt onze, quatre vingt
        douze, quatre vingt treize, quatre vingt quatorze, quatre vingt quinze, quatre vingt seize, quatre vingt dix
        sept, quatre vingt dix huit, quatre vingt dix neuf, vingt et un, trente et un, quarante et un, cinquante et un,
        soixante et un
        """
    ),
    tens=several("vingt, trente, quarante, cinquante, soixante, septante, huitante, nonante, quatre vingt"),
    powers=several("cent, cents, mille"),
    repeats=several("double, triple, deux fois, trois fois"),
    triples=several("triple, trois fois"),
    joins=several("virgule"),
    marks=several("tiret, espace, barre, slash, moins, plus, poste"),
    spelling=several("comme"),
    at=several("arobase, arrobase, at"),
    dot=several("point"),
)
_ASKED_FOR = AskedFor(
    digits=(
        ("numéro de téléphone", 9, 10),
        ("téléphone", 9, 10),
        ("portable", 9, 10),
        ("code postal", 5, 5),
        ("carte", 15, 16),
        ("numéro de commande", 4, 20),
        ("numéro client", 4, 20),
        ("numéro de client", 4, 20),
        ("numéro de dossier", 4, 20),
        ("numéro de réservation", 4, 20),
        ("code", 3, 12),
        ("quel numéro", 9, 10),
    ),
    digit=several("chiffres, chiffre"),
    quantity=several("combien, quelle heure, à quelle heure, quelle taille, quel âge, quel jour, quelle date"),
    spelled=several("épeler, épelez, épelle, e-mail, email, mail, courriel, adresse mail"),
    story=several(
        """
        que s'est-il passé, racontez, décrivez, expliquez, quel est le problème, que se passe-t-il
        """
    ),
    either=several(
        """
        est-ce que, est-ce, êtes-vous, avez-vous, voulez-vous, souhaitez-vous, pouvez-vous, puis-je, avez, êtes,
        voulez, souhaitez, pouvez, désirez, est, autre chose, y a-t-il, ça
        """
    ),
    which=several(
        """
        que, quel, quelle, quels, quelles, quand, où, qui, comment, pourquoi, lequel, laquelle, quoi, qu'est
        """
    ),
)
_GRAMMAR = Grammar(
    openers=several(
        """
        oui, non, ouais, okay, ok, alors, bon, ben, bah, eh bien, bonjour, bonsoir, allô, salut, euh, heu, hum, ah,
        d'accord, voilà, donc, en fait, excusez-moi, pardon, et, mais, ou, puis, merci, s'il vous plaît, très bien,
        parfait, écoutez, bien sûr, enfin
        """
    ),
    fillers=several(
        """
        euh, heu, hum, hm, hmm, ben, attendez, un instant, un moment, une seconde, voyons, comment dire, comment ça
        s'appelle, disons, enfin
        """
    ),
    answers=several(
        """
        oui, ouais, oui merci, oui s'il vous plaît, oui bien sûr, non, non merci, bien sûr, d'accord, exactement, c'est
        ça, c'est exact, tout à fait, voilà, okay, ok, parfait, très bien, peut-être, pas vraiment, pas encore, pas du
        tout, c'est tout, rien d'autre, rien, aucun, aucune, volontiers, c'est moi, faux, si, absolument, c'est bon
        """
    ),
    agreeing=several("oui, non, ouais, si"),
    choices=several(
        """
        grand, grande, petit, petite, moyen, moyenne, le premier, la première, le deuxième, la deuxième, le second, le
        dernier, la dernière, les deux, aucun, tout, peu importe, aujourd'hui, demain, maintenant, plus tard, ici, là,
        rouge, bleu, noir, blanc, vert, espèces, carte, à emporter, en livraison, le matin, l'après-midi, le soir,
        français, anglais
        """
    ),
    clauses=several(
        """
        j'ai, j'aimerais, j'appelle, j'habite, c'est, il y a, c'était, j'étais, j'avais, qu'est ce que, est ce que, je
        suis
        """
    ),
    subjects=several("je, tu, il, elle, on, nous, vous, ils, elles, ça, cela"),
    verbs=several(
        """
        est, sont, était, étaient, suis, sommes, êtes, ai, a, ont, avons, avez, avait, avais, voudrais, voudrait, veux,
        veut, voulons, voulais, peux, peut, pouvez, pouvons, pourriez, pourrais, pourrait, dois, doit, faut, fait,
        font, faire, vais, va, allons, vont, viens, vient, sais, sait, savez, crois, pense, semble, marche, fonctionne,
        arrive, coûte, habite, appelle, cherche, prends, prend, prendrai, aimerais, souhaite, souhaiterais, préfère,
        manque, dit, reçu, commandé, acheté, payé, réservé, donnez, dites, mettez, annulez, sera, serait, attends,
        parle, ouvre, ferme
        """
    ),
    auxiliaries=several("est, sont, avez, êtes, pouvez, pourriez, puis, peut, peux, va, voulez"),
    imperatives=several(
        """
        donnez, dites, mettez, annulez, envoyez, changez, appelez, attendez, répétez, aidez, passez, prenez, faites,
        ajoutez, enlevez, réservez, confirmez
        """
    ),
    asking=several(
        """
        que, quel, quelle, quels, quelles, quand, où, qui, comment, pourquoi, combien, à quelle heure
        """
    ),
    joining=several(
        """
        si, quand, parce que, que, qui, pendant que, lorsque, puisque, bien que, avant que, après que, pour que, comme
        """
    ),
    determiners=several(
        """
        le, la, les, l', un, une, des, du, mon, ma, mes, votre, vos, notre, nos, son, sa, ses, leur, ce, cet, cette,
        ces, chaque, quelques, plusieurs, deux, trois, quatre, cinq, six, sept, huit, neuf, dix, aucun, aucune, autre
        """
    ),
    definite=several("le, la, les, mon, ma, mes, notre, votre"),
    adjectives=several(
        """
        grand, grande, petit, petite, nouveau, nouvelle, prochain, prochaine, premier, première, deuxième, troisième,
        bon, bonne, mauvais, mauvaise, autre, même, demi, demie, vieux, vieille, gros, grosse, beau, belle, jeune,
        double, moyen, moyenne
        """
    ),
    linking=several("est, sont, était, très, trop, plus, aussi, c'est, il"),
    wanting=several(
        """
        voudrais, veux, cherche, prends, ai, j'ai, avez, reçu, commandé, acheté, aimerais, j'aimerais, souhaite,
        souhaiterais, préfère, dit, faire, prendre, avoir, savoir, réserver, changer, commander, crois, pense
        """
    ),
    alone=several(
        """
        continuez, continue, allez-y, vas-y, encore une fois, encore, à nouveau, qu'est-ce que c'est, c'est quoi, qui
        est-ce, c'est qui, quoi d'autre, pour quoi faire, où ça, pourquoi pas, pas encore, moi aussi, moi non plus,
        c'est combien, quelle heure est-il, il est quelle heure
        """
    ),
    joins_nouns=several("et, ou"),
    prepositions=several("de, à, en, dans, avec, pour, par, sans, sur, sous, chez, vers, entre, depuis, contre"),
    endless=several(
        """
        je voudrais, j'aimerais, je souhaite, je souhaiterais, je veux, je cherche, je suis, est ce que, est ce que
        vous, pouvez vous, pourriez vous, pouvez vous me, est ce que je, je m'appelle, mon nom est, mon numéro est, le
        numéro est, mon adresse est, c'est le, mon numéro c'est, le problème c'est, il s'agit de, j'appelle pour, un
        peu de, une bouteille de, une tasse de, un verre de, besoin de, envie de, à cause de, près de, à partir de,
        afin de, avant de, au lieu de, plus de, moins de, il me faut, j'ai un, j'ai une
        """
    ),
    months=several(
        """
        janvier, février, mars, avril, mai, juin, juillet, août, septembre, octobre, novembre, décembre
        """
    ),
    days=several(
        """
        lundi, mardi, mercredi, jeudi, vendredi, samedi, dimanche, aujourd'hui, demain, après-demain, hier, week-end
        """
    ),
)

FRENCH = Language(
    "fr",
    _PHRASES,
    Cues(
        unfinished=_GRAMMAR.fillers
        | several(
            """
            et, ou, mais, parce que, car, que, qu', puisque, si, quand, lorsque, comme, donc, ni, le, la, les, l', un,
            une, des, du, de, d', au, aux, mon, ma, mes, votre, vos, notre, nos, son, sa, ses, leur, leurs, ce, cet,
            cette, ces, chaque, quelques, plusieurs, à, en, dans, avec, pour, par, sans, sur, sous, chez, vers, entre,
            depuis, pendant, contre, jusqu'à, jusqu'au, très, trop, plus, moins, aussi, assez, environ, presque,
            seulement, juste, encore, surtout, peut-être, je, j', tu, il, elle, on, nous, ils, qui, dont, où, est,
            sont, était, suis, ai, j'ai, a, ont, avez, avais, avait, c'est, c'était, veux, voudrais, peux, peut,
            pouvez, pourriez, dois, vais, va, ne, n', me, se, s', m', y, est-ce que, qu'est-ce que, parce qu', alors
            que, ce que, ce qui, celui, celle, par exemple, c'est-à-dire, double, monsieur, madame, docteur, rue,
            numéro, et puis, et aussi
            """
        ),
        hello="Allô ?",
        finished=several(
            """
            s'il vous plaît, s'il te plaît, merci, merci beaucoup, merci bien, c'est tout, ce sera tout, rien d'autre,
            au revoir, à bientôt, bonne journée, bonne soirée, c'est bon, ça marche, ça me va, d'accord, c'est ça, dès
            que possible, si possible, si c'est possible, je ne sais pas, je sais pas, aucune idée, je crois, je pense,
            c'est possible, voilà, à tout à l'heure
            """
        ),
        backchannels=several(
            """
            mhm, mm, hm, hum, ah, oh, oui, oui oui, ouais, okay, ok, d'accord, bien, très bien, bon, voilà, exactement,
            c'est ça, tout à fait, je vois, je comprends, ah oui, ah bon, ah d'accord, parfait, super, bien sûr,
            entendu, compris, effectivement, en effet, vraiment, pas de problème, pas de souci, euh, merci, génial,
            c'est vrai
            """
        ),
        stops=several(
            """
            stop, arrêtez, arrête, attendez, attends, non, un instant, un moment, une seconde, pardon, excusez-moi, ça
            suffit, assez, taisez-vous, silence, laissez tomber, c'est faux, écoutez, comment, plus lentement,
            opérateur, conseiller, répétez
            """
        ),
        greetings=several("allô, allo, bonjour, bonsoir, salut, oui, oui allô, oui bonjour, il y a quelqu'un"),
        grammar=_GRAMMAR,
        numbers=_NUMBERS,
        asked_for=_ASKED_FOR,
    ),
)
