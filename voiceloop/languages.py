"""The table of languages."""

from __future__ import annotations

from dataclasses import replace

from voiceloop.language import Cues, Language, LanguageError, Phrases, check_tag, primary

__all__ = ["LANGUAGES", "language_of"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LANGUAGES: dict[str, Language] = {
    language.tag: language
    for language in (
        Language("en", Phrases(), Cues(_words("um uh uhm er erm and or but because the a an my your"), "Hello?")),
        Language(
            "de",
            Phrases(
                apology="Entschuldigung, da ist etwas schiefgegangen. Können Sie das noch einmal sagen?",
                not_understood="Entschuldigung, das habe ich nicht verstanden.",
                still_there="Sind Sie noch da?",
                goodbye="Auf Wiederhören.",
                failed="Leider gibt es ein technisches Problem. Bitte rufen Sie später noch einmal an. "
                "Auf Wiederhören.",
                one_moment="Einen Moment, bitte.",
                still_working="Ich bin noch dabei.",
            ),
            Cues(_words("äh ähm öh hm und oder aber weil der die das ein eine einen mein meine"), "Hallo?"),
        ),
        Language(
            "es",
            Phrases(
                apology="Perdón, algo ha fallado. ¿Puede repetirlo?",
                not_understood="Perdón, no le he entendido.",
                still_there="¿Sigue ahí?",
                goodbye="Adiós.",
                failed="Lo siento, tengo un problema técnico. Por favor, llame más tarde. Adiós.",
                one_moment="Un momento, por favor.",
                still_working="Sigo en ello.",
            ),
            Cues(_words("eh em este y o pero porque el la los las un una mi"), "¿Hola?"),
        ),
        Language(
            "fr",
            Phrases(
                apology="Désolé, il y a eu un problème. Pouvez-vous répéter ?",
                not_understood="Désolé, je n'ai pas compris.",
                still_there="Êtes-vous toujours là ?",
                goodbye="Au revoir.",
                failed="Désolé, j'ai un problème technique. Rappelez plus tard, s'il vous plaît. Au revoir.",
                one_moment="Un instant, s'il vous plaît.",
                still_working="J'y travaille encore.",
            ),
            Cues(_words("euh heu hum et ou mais parce que le la les un une mon ma"), "Allô ?"),
        ),
        Language(
            "it",
            Phrases(
                apology="Scusi, qualcosa è andato storto. Può ripetere?",
                not_understood="Scusi, non ho capito.",
                still_there="È ancora lì?",
                goodbye="Arrivederci.",
                failed="Mi dispiace, ho un problema tecnico. Richiami più tardi, per favore. Arrivederci.",
                one_moment="Un momento, per favore.",
                still_working="Ci sto ancora lavorando.",
            ),
            Cues(_words("eh ehm uhm e o ma perché il lo la i gli le un una mio mia"), "Pronto?"),
        ),
        Language(
            "nl",
            Phrases(
                apology="Sorry, er ging iets mis. Kunt u dat nog eens zeggen?",
                not_understood="Sorry, dat heb ik niet verstaan.",
                still_there="Bent u er nog?",
                goodbye="Tot ziens.",
                failed="Sorry, er is een technisch probleem. Belt u later nog eens. Tot ziens.",
                one_moment="Een ogenblik, alstublieft.",
                still_working="Ik ben er nog mee bezig.",
            ),
            Cues(_words("eh ehm uh en of maar omdat de het een mijn"), "Hallo?"),
        ),
        Language(
            "pt",
            Phrases(
                apology="Desculpe, algo correu mal. Pode repetir?",
                not_understood="Desculpe, não percebi.",
                still_there="Ainda está aí?",
                goodbye="Adeus.",
                failed="Desculpe, tenho um problema técnico. Por favor, ligue mais tarde. Adeus.",
                one_moment="Um momento, por favor.",
                still_working="Ainda estou a tratar disso.",
            ),
            Cues(_words("é hum e ou mas porque o a os as um uma meu minha"), "Alô?"),
        ),
    )
}
"""By tag. Read when a pipeline is built: change it before that."""


def language_of(named: str | Language) -> Language:
    """The language a bot names: from the table, where ``de-AT`` is found as ``de`` if it has no entry of its own.

    Raises:
        LanguageError: it is not in the table.
    """
    if isinstance(named, Language):
        return named
    tag = check_tag(named)
    found = LANGUAGES.get(tag) or LANGUAGES.get(primary(tag))
    if found is None:
        known = ", ".join(sorted(LANGUAGES))
        raise LanguageError(
            f"language {tag!r} is not in the table (it has {known}): add it to voiceloop.LANGUAGES, or give the bot "
            f"Language({tag!r}, Phrases(...), Cues(...))"
        )
    return replace(found, tag=tag)
