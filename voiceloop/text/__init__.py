"""Text for the ear: what the model writes, as people would say it. Nothing heavy is loaded before a call begins."""

from voiceloop.text.processor import SpokenText
from voiceloop.text.reader import Piece, Reader, Rules, spoken
from voiceloop.text.reading import Currency, Reading, Unit, reading_for

__all__ = ["Currency", "Piece", "Reader", "Reading", "Rules", "SpokenText", "Unit", "reading_for", "spoken"]
