"""Which variables of the environment are set, by name. Values are not shown, but for the path of a missing key file."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from voiceloop.doctor.finding import Finding
from voiceloop.stt.google_errors import KEY_FILE_VARIABLE, missing_key_file

__all__ = ["TWILIO", "Service", "check_environment", "services_of"]


@dataclass(frozen=True, slots=True)
class Service:
    """Somebody a bot talks to, and the variables by which it is told how."""

    name: str
    module: str
    """Where its providers are defined; a beginning is enough."""
    secrets: tuple[str, ...]
    """Variables that hold a secret."""
    others: tuple[str, ...]
    address_variable: str
    """Leads to another address than `address`."""
    address: str

    @property
    def variables(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.secrets, *self.others, self.address_variable)


TWILIO: Final = Service(
    "Twilio",
    "voiceloop.twilio",
    ("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"),
    ("TWILIO_ACCOUNT_SID", "VOICELOOP_PUBLIC_URL"),
    "TWILIO_BASE_URL",
    "https://api.twilio.com",
)
_SERVICES: Final = (
    Service(
        "Google",
        "voiceloop.stt.google",
        (),
        (KEY_FILE_VARIABLE, "GOOGLE_CLOUD_PROJECT"),
        "GOOGLE_SPEECH_ENDPOINT",
        "https://speech.googleapis.com",
    ),
    Service(
        "Anthropic",
        "voiceloop.llm.anthropic",
        ("ANTHROPIC_API_KEY",),
        (),
        "ANTHROPIC_BASE_URL",
        "https://api.anthropic.com",
    ),
    Service("OpenAI", "voiceloop.llm.openai", ("OPENAI_API_KEY",), (), "", "https://api.openai.com"),
    Service(
        "Cartesia",
        "voiceloop.tts.cartesia",
        ("CARTESIA_API_KEY",),
        (),
        "CARTESIA_BASE_URL",
        "https://api.cartesia.ai",
    ),
)
_DUMMIES: Final = ("your", "changeme", "change-me", "xxx", "<", "...", "…", "todo", "placeholder", "insert")
"""What is put where a secret is to come."""
_TOKEN: Final = re.compile(r"[0-9a-fA-F]{32}")
"""An auth token of Twilio's."""


def services_of(providers: Iterable[Any]) -> list[Service]:
    """The services behind some providers, each once."""
    modules = {type(provider).__module__ for provider in providers}
    return [service for service in _SERVICES if any(module.startswith(service.module) for module in modules)]


def check_environment(service: Service, environment: Mapping[str, str]) -> Finding:
    """Which of a service's variables are set, and which of them cannot be meant so.

    A variable that is missing is nothing wrong in itself: the bot's code may pass the key. Asking the service tells.
    """
    known = [name for name in service.variables if name]
    there = [name for name in known if environment.get(name, "").strip()]
    missing = [name for name in known if name not in there]
    parts = [f"set: {', '.join(there)}"] if there else []
    parts += [f"not set: {', '.join(missing)}"] if missing else []
    slips = [slip for name in there if (slip := _slip(name, environment[name], name in service.secrets))]
    slips += [
        f"{name} is not set, but {other} is: is {name} meant?"
        for name in missing
        if (other := _meant(name, environment, known))
    ]
    what = f"environment for {service.name}"
    if slips:
        return Finding(what, "warning", "; ".join([*parts, *slips]))
    return Finding(what, "ok" if there else "skipped", "; ".join(parts))


def _slip(name: str, value: str, secret: bool) -> str:
    """What cannot be meant in a value, without showing it."""
    if value[0] in "\"'" or value[-1] in "\"'":
        return f"{name} has quotation marks in its value: take them out"
    if value != value.strip():
        return f"{name} has blanks around its value: take them out"
    if secret and any(dummy in value.lower() for dummy in _DUMMIES):
        return f"{name} seems to hold a text that stands for the key: put the key there"
    if name == "TWILIO_AUTH_TOKEN" and not _TOKEN.fullmatch(value):
        return f"{name} is not 32 hexadecimal digits, as auth tokens are: copy it from the console's first page"
    if name == KEY_FILE_VARIABLE:
        return missing_key_file({name: value}).removesuffix(".")
    return ""


def _meant(name: str, environment: Mapping[str, str], known: Iterable[str]) -> str:
    """A variable that is set and looks like a slip of the pen for another one; empty when there is none."""
    kin = name.partition("_")[0] + "_"
    others = [each for each in environment if each.startswith(kin) and each not in known and environment[each]]
    return next(iter(get_close_matches(name, others, n=1, cutoff=0.7)), "")
