"""A coffee bar that answers the phone, on models in this process. Try it: ``voiceloop talk examples/coffee_bot.py``."""

from voiceloop import AudioStreamer, Call, LLMAggregator, Pipeline, SileroVAD, SpokenText, TurnTaking
from voiceloop.llm.llamacpp import EngineOptions, LlamaCpp, LlamaCppOptions
from voiceloop.stt.moonshine import Moonshine, MoonshineOptions
from voiceloop.tts.hibari import Hibari

GREETING = "Corner Coffee, hi! What can I get you?"
INSTRUCTIONS = "You take orders on the phone for Corner Coffee. You say every order back."

# The built-in model is tiny. It follows examples better than rules; a larger one would do with the rules alone.
MENU = "We have coffee, latte, cappuccino, mocha, and tea. Every drink is four dollars."
GOODBYE = "Thank you for calling Corner Coffee. Goodbye!"
EXAMPLES = [
    ("Hello, which drinks do you have?", MENU),
    ("Can I have a small green tea with lemon?", "Sure, a small green tea with lemon. Anything else?"),
    ("How long does it take?", "It takes five minutes."),
    ("What did I order?", "You ordered a small green tea with lemon."),
    ("Thank you, goodbye.", GOODBYE),
    ("Get me a ten-ounce double espresso with sugar.", "Sure, a ten-ounce double espresso with sugar. Anything else?"),
    ("How long will that take?", "It takes five minutes."),
    ("And what did I order?", "You ordered a ten-ounce double espresso with sugar."),
    ("Make me a dark hot chocolate with cream.", "Sure, a dark hot chocolate with cream. Anything else?"),
    ("Get me an iced lemonade with mint.", "Sure, an iced lemonade with mint. Anything else?"),
    ("How long will it take?", "It takes five minutes."),
    ("Can you repeat my order?", "You ordered an iced lemonade with mint."),
    ("That's all, thank you. Goodbye.", GOODBYE),
]

# Built once, shared by all calls. Models load when they are warmed, or when the first call comes.
stt = Moonshine(MoonshineOptions(hints=("coffee", "latte", "cappuccino", "mocha")))
llm = LlamaCpp(options=LlamaCppOptions(max_tokens=60, engine=EngineOptions(slots=2)))
tts = Hibari()


def bot(call: Call) -> Pipeline:
    """One call. The caller's voice comes in at the head of the list; the agent's leaves at its end."""
    return Pipeline(
        [
            call.transport,
            SileroVAD(),
            stt,
            TurnTaking(greeting=GREETING),
            LLMAggregator(llm, instructions=INSTRUCTIONS, examples=EXAMPLES),
            SpokenText(),  # "$4.50" is read as people read it, and remembered as the model wrote it
            tts,
            AudioStreamer(),
        ]
    )
