"""The bot of the tests of scenarios: a coffee bar with a price list, and flaws on demand."""

from __future__ import annotations

from voiceloop import AudioStreamer, Call, EnergyVAD, FixedSilence, LLMAggregator, Pipeline, Processor, TurnTaking
from voiceloop.frames import Digit
from voiceloop.llm.llamacpp import LlamaCpp
from voiceloop.stt.moonshine import Moonshine
from voiceloop.tts.hibari import Hibari

stt, llm, tts = Moonshine(), LlamaCpp(), Hibari()


async def price(drink: str, size: str = "small") -> str:
    """Look up what a drink costs."""
    return "four dollars"


class Keys(Processor):
    """Says which key was pressed, and breaks at the star."""

    def on_digit(self, digit: Digit) -> None:
        if digit.digit == "*":
            raise LookupError("no such key")
        self.call.say(f"You pressed {digit.digit} and called {self.call.number or 'nobody'}.")


def bot(call: Call) -> Pipeline:
    model = LLMAggregator(llm, instructions="Take orders.", tools=[price, call.hang_up])
    hearing = [call.transport, EnergyVAD(), stt, TurnTaking("Corner Coffee, hi!", endpointing=FixedSilence()), Keys()]
    return Pipeline([*hearing, model, tts, AudioStreamer()])


def silent(call: Call) -> Pipeline:
    hearing = [call.transport, EnergyVAD(), stt, TurnTaking(endpointing=FixedSilence())]
    return Pipeline([*hearing, LLMAggregator(llm), tts, AudioStreamer()])
