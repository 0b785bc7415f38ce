"""A sheet to draw a picture on with Pillow: rectangles, lines, and text in whatever fonts there are.

The letters are those of the font inside Pillow (Aileron, CC0), so that a picture looks the same on every machine. It
knows little more than ASCII. A text it cannot write is written in the first font of the system that can.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import TYPE_CHECKING, Final

from voiceloop.errors import require

if TYPE_CHECKING:
    from PIL import ImageFont

__all__ = ["Sheet"]

OTHER_FONTS: Final = (
    *("DejaVuSans.ttf", "NotoSans-Regular.ttf", "LiberationSans-Regular.ttf", "Arial Unicode.ttf", "arial.ttf"),
    *("Arial.ttf", "segoeui.ttf", "Helvetica.ttc", "NotoSansCJK-Regular.ttc", "wqy-microhei.ttc", "PingFang.ttc"),
    *("Hiragino Sans GB.ttc", "msyh.ttc", "msgothic.ttc", "malgun.ttf", "NotoSansArabic-Regular.ttf"),
    *("NotoSansHebrew-Regular.ttf", "NotoSansDevanagari-Regular.ttf", "NotoSansThai-Regular.ttf", "FreeSans.ttf"),
    *("NotoEmoji-Regular.ttf", "Symbola.ttf", "seguiemj.ttf"),
)
"""Names that Pillow looks for in the system's font folders."""
UNKNOWN: Final = "\U0010ffff"
"""A character that no font has: what is drawn for it is drawn for all that are missing."""
INSTEAD: Final = {"‘": "'", "’": "'", "“": '"', "”": '"', "„": '"', "–": "-", "—": "-", "…": "...", "·": "-", "×": "x"}
_BASE: Final = 20


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | None:
    """A font at a size in pixels; the name "" is Pillow's own."""
    fonts = require("PIL.ImageFont", "picture", "A PNG")
    try:
        found = fonts.truetype(name, size) if name else fonts.load_default(size)
    except OSError:
        return None
    return found if isinstance(found, fonts.FreeTypeFont) else None


@cache
def _has(name: str, character: str) -> bool:
    font = _font(name, _BASE)
    if font is None:
        return False
    return character.isspace() or bytes(font.getmask(character)) != bytes(font.getmask(UNKNOWN))


@cache
def _written(text: str, preferred: str) -> tuple[str, str]:
    """The font for a text, and the text as that font can write it."""
    names = dict.fromkeys((preferred, "", *OTHER_FONTS))
    needed = {character for character in text if unicodedata.category(character) not in ("Mn", "Cf")}
    missing = {name: sum(not _has(name, character) for character in needed) for name in names if _font(name, _BASE)}
    name = min(missing, key=lambda name: missing[name])  # of equal ones the first
    if not missing[name]:
        return name, text
    return name, "".join(character if _has(name, character) else _simpler(name, character) for character in text)


def _simpler(name: str, character: str) -> str:
    """A character the font lacks: its letter without the accent, a plainer sign, or what the font draws for none."""
    plainer = INSTEAD.get(character) or unicodedata.normalize("NFKD", character)[0]
    return plainer if all(_has(name, one) for one in plainer) else character


class Sheet:
    """An image measured in layout pixels, each `scale` pixels wide.

    Args:
        width, height: layout pixels.
        scale: pixels of the image for one of them.
        colour: of the background.
        font: a font file to prefer over Pillow's own.
    """

    def __init__(self, width: float, height: float, scale: float, colour: str, font: str = "") -> None:
        self.scale, self.font = scale, font
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        self.image = require("PIL.Image", "picture", "A PNG").new("RGB", size, colour)
        self._draw = require("PIL.ImageDraw", "picture", "A PNG").Draw(self.image)

    def box(self, left: float, top: float, width: float, height: float, colour: str) -> None:
        """A filled rectangle, at least one pixel of the image wide and high."""
        scale = self.scale
        corner = (round(left * scale), round(top * scale))
        end = (max(corner[0], round((left + width) * scale) - 1), max(corner[1], round((top + height) * scale) - 1))
        self._draw.rectangle((corner, end), fill=colour)

    def line(self, start: tuple[float, float], end: tuple[float, float], colour: str, width: float = 1.0) -> None:
        """A straight line."""
        ends = [(x * self.scale, y * self.scale) for x, y in (start, end)]
        self._draw.line(ends, fill=colour, width=max(1, round(width * self.scale)))

    def shape(self, points: list[tuple[float, float]], colour: str) -> None:
        """A filled polygon."""
        if len(points) > 2:
            self._draw.polygon([(x * self.scale, y * self.scale) for x, y in points], fill=colour)

    def width(self, text: str, size: float = 12.0) -> float:
        """How wide a text is, layout pixels."""
        font, written = self._prepared(text, size)
        return font.getlength(written) / self.scale

    def text(self, left: float, top: float, text: str, colour: str, size: float = 12.0, *, bold: bool = False) -> float:
        """Write one line whose letters begin below `top`; returns where it ends."""
        font, written = self._prepared(text, size)
        at = (round(left * self.scale), round((top + size) * self.scale))
        stroke = max(0.3, 0.022 * size * self.scale) if bold else 0.0
        self._draw.text(at, written, fill=colour, font=font, anchor="ls", stroke_width=stroke)
        return left + font.getlength(written) / self.scale

    def fitted(self, text: str, width: float, size: float = 12.0) -> str:
        """As much of a text as fits into a width, with an ellipsis when some is left out; empty when nothing fits."""
        if self.width(text, size) <= width:
            return text
        low, high = 0, min(len(text), 1000)
        while low < high:
            middle = (low + high + 1) // 2
            if self.width(text[:middle].rstrip() + "…", size) <= width:
                low = middle
            else:
                high = middle - 1
        return text[:low].rstrip() + "…" if low else ""

    def wrapped(self, text: str, width: float, lines: int, size: float = 12.0) -> list[str]:
        """A text in at most so many lines; the last one holds what fits of the rest."""
        words = text[:1000].split()
        made: list[str] = []
        while words and len(made) < lines - 1:
            count = 1
            while count < len(words) and self.width(" ".join(words[: count + 1]), size) <= width:
                count += 1
            made.append(self.fitted(" ".join(words[:count]), width, size))
            words = words[count:]
        if words:
            made.append(self.fitted(" ".join(words), width, size))
        return made

    def _prepared(self, text: str, size: float) -> tuple[ImageFont.FreeTypeFont, str]:
        name, written = _written(text, self.font)
        font = _font(name, round(size * self.scale))
        assert font is not None  # it was opened to see what it has
        return font, written
