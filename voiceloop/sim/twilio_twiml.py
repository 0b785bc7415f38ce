"""TwiML as Twilio reads it: the verbs of a document, and what its debugger says about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from xml.etree import ElementTree

__all__ = ["Element", "TwimlFault", "read_twiml"]

SIMULATED: Final = {
    "Connect": {"action", "method"},
    "Dial": {
        "action",
        "method",
        "timeout",
        "callerId",
        "timeLimit",
        "hangupOnStar",
        "answerOnBridge",
        "record",
        "ringTone",
    },
    "Hangup": set[str](),
    "Pause": {"length"},
    "Play": {"digits", "loop"},
    "Redirect": {"method"},
    "Reject": {"reason"},
    "Say": {"voice", "language", "loop"},
}
"""Verbs that the simulator runs, with the attributes that Twilio knows of them."""
OTHERS: Final = frozenset(
    {"Enqueue", "Gather", "Leave", "Pay", "Prompt", "Queue", "Record", "Refer", "Sms", "Start", "Stop"}
)
"""Verbs of Twilio's that the simulator does not run."""
NOUNS: Final = {
    "Stream": {
        "url",
        "name",
        "track",
        "statusCallback",
        "statusCallbackMethod",
        "connectorName",
        "audioFormat",
        "sampleRate",
    },
    "Parameter": {"name", "value"},
    "Number": {"sendDigits", "url", "method", "statusCallback", "statusCallbackEvent", "statusCallbackMethod", "byoc"},
    "Client": {"url", "method", "statusCallback", "statusCallbackEvent", "statusCallbackMethod"},
    "Sip": {"url", "method", "username", "password", "statusCallback", "statusCallbackEvent", "statusCallbackMethod"},
}
Warn = Callable[[int, str], None]


class TwimlFault(Exception):
    """A document that Twilio cannot run; `code` is its error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Element:
    """A verb or a noun."""

    name: str
    attributes: dict[str, str]
    text: str
    children: list[Element] = field(default_factory=list)

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)


def read_twiml(text: str, warn: Warn) -> list[Element]:
    """The verbs that Twilio runs, in order; a verb it does not know is left out.

    Args:
        warn: called with code and message of each warning: 12200 for what the schema does not have.

    Raises:
        TwimlFault: 12100, it is no XML or has no ``<Response>`` around it; 0, a verb that only Twilio can run.
    """
    try:
        root = ElementTree.fromstring(text.encode())
    except (ElementTree.ParseError, ValueError) as error:
        raise TwimlFault(12100, f"Document parse failure: {error}") from None
    if root.tag != "Response":
        raise TwimlFault(12100, f"Document parse failure: the root element is <{root.tag}>, expected <Response>")
    verbs = []
    for node in root:
        if node.tag in SIMULATED:
            verbs.append(_element(node, {**SIMULATED, **NOUNS}, warn))
        elif node.tag in OTHERS:
            raise TwimlFault(0, f"the simulator does not run <{node.tag}>")
        else:
            warn(12200, f"Schema validation warning: invalid content was found starting with element '{node.tag}'")
    return verbs


def _element(node: ElementTree.Element, known: dict[str, set[str]], warn: Warn) -> Element:
    for name in node.attrib:
        if name not in known[node.tag]:
            warn(12200, f"Schema validation warning: attribute '{name}' is not allowed to appear in '{node.tag}'")
    children = []
    for child in node:
        if child.tag in NOUNS:
            children.append(_element(child, known, warn))
        elif child.tag == "ConversationRelay":
            raise TwimlFault(0, "the simulator does not run <ConversationRelay>")
        else:
            warn(12200, f"Schema validation warning: element '{child.tag}' is not allowed in '{node.tag}'")
    return Element(node.tag, dict(node.attrib), (node.text or "").strip(), children)
