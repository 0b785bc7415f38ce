"""What the statuses of Google's Speech-to-Text mean: whether another try may help, and what to do if not.

Statuses and texts are those of google-cloud-speech 2.41 against the service, as reported; see docs/google.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from voiceloop.errors import ModelError

__all__ = ["KEY_FILE_VARIABLE", "SpeechRefused", "Status", "explained", "missing_key_file", "passing", "status_of"]

KEY_FILE_VARIABLE = "GOOGLE_APPLICATION_CREDENTIALS"
"""Holds the path of a key file."""

_PASSING = {
    "ABORTED",
    "CANCELLED",
    "DATA_LOSS",
    "DEADLINE_EXCEEDED",
    "INTERNAL",
    "OUT_OF_RANGE",
    "RESOURCE_EXHAUSTED",
    "UNAVAILABLE",
    "UNKNOWN",
}
"""Another stream may fare better."""
_LONGEST = 300
"""Characters of a server's text that are passed on."""
_SECRET = re.compile(r"(Bearer\s+)\S+|\bya29\.[\w.-]+|\beyJ[\w.-]+|\bAIza[\w-]{20,}")
_PLUGIN = "metadata from plugin failed"
"""gRPC says so, with UNAVAILABLE, when the credentials could not give a token."""


class SpeechRefused(ModelError):
    """Google's service does not recognise: the message says why and what to do."""

    def __init__(self, message: str, status: str = "") -> None:
        super().__init__(message)
        self.status = status
        """Name of the gRPC status; empty when there was none."""


def missing_key_file(environment: Mapping[str, str]) -> str:
    """A sentence about a key file that is named in the environment and not there; empty when all is well."""
    path = environment.get(KEY_FILE_VARIABLE, "")
    if not path.strip() or (os.path.exists(path) and not os.path.isdir(path)):
        return ""
    return f"{KEY_FILE_VARIABLE} is {path!r:.{_LONGEST}}, and there is no such file."


@dataclass(frozen=True, slots=True)
class Status:
    """How a stream ended."""

    code: str
    """Name of the gRPC status, such as ``UNAVAILABLE``."""
    text: str
    """What the server says about it."""


def status_of(error: BaseException) -> Status:
    """The status in an error of Google's client or of gRPC."""
    code = getattr(error, "grpc_status_code", None)
    if code is None and callable(getattr(error, "code", None)):
        code = error.code()  # type: ignore[attr-defined]
    text = getattr(error, "message", None) or getattr(error, "details", None) or str(error)
    if callable(text):
        text = text()
    if isinstance(error, TimeoutError):
        return Status("DEADLINE_EXCEEDED", "no connection in time")
    return Status(getattr(code, "name", "") or "UNKNOWN", str(text) if code else f"{type(error).__name__}: {error}")


def passing(status: Status) -> bool:
    """Whether another try may help."""
    return status.code in _PASSING and _PLUGIN not in status.text


def explained(status: Status, *, model: str, language: str, location: str, project: str, host: str) -> SpeechRefused:
    """What a status means and what to do.

    Args:
        model, language, location, project, host: what was asked for, and where.
    """
    said = _SECRET.sub("***", " ".join(status.text.split()))[:_LONGEST]
    text = said.lower()
    meaning = _of_credentials(text) if status.code in ("UNAUTHENTICATED", "UNAVAILABLE") else None
    if status.code == "PERMISSION_DENIED":
        meaning = _of_permission(text, project)
    elif status.code in ("INVALID_ARGUMENT", "NOT_FOUND", "FAILED_PRECONDITION"):
        meaning = _of_request(text, model, language, location)
    elif status.code == "UNIMPLEMENTED":
        meaning = "there is no Speech-to-Text there: mend the endpoint"
    elif status.code == "RESOURCE_EXHAUSTED":
        meaning = (
            f"the quota of project {project or 'of these credentials'!r} is used up: ask for more under IAM & Admin > "
            "Quotas (Speech-to-Text API), or use another location"
        )
    elif status.code == "DEADLINE_EXCEEDED":
        meaning = "no answer in time: check the network and the endpoint (http:// for a server without TLS)"
    elif meaning is None:
        meaning = "the service cannot be reached or fails: check the network and the endpoint; it may pass"
    return SpeechRefused(f"Google Speech at {host}: {meaning} [{status.code}: {said}]", status.code)


def _of_credentials(text: str) -> str | None:
    if any(word in text for word in ("iat and exp", "'iat'", "'exp'", "token used too early", "short-lived token")):
        return "the key's token is not valid at this time: the clock of this machine is wrong; set it (NTP)"
    if "api key" in text:
        return "it takes no API key: use a service account (GOOGLE_APPLICATION_CREDENTIALS)"
    if "invalid_grant" in text or "signature" in text or "account not found" in text:
        return "the key is not accepted: it was deleted or belongs to another account; make a new one"
    if _PLUGIN in text:
        return "the credentials give no token: check the key file and the network"
    if "authentic" in text or "credential" in text:
        return "the credentials are not accepted: check GOOGLE_APPLICATION_CREDENTIALS, or make a new key"
    return None


def _of_permission(text: str, project: str) -> str:
    if "has not been used" in text or "is disabled" in text or "service_disabled" in text:
        return f"the Speech-to-Text API is not enabled in project {project!r}: enable speech.googleapis.com there"
    if "billing" in text:
        return f"project {project!r} has no billing account: link one in the Google Cloud console"
    return (
        f"these credentials may not recognise speech in project {project!r}: check the project's name, and give the "
        "account the role Cloud Speech Client (roles/speech.client)"
    )


def _of_request(text: str, model: str, language: str, location: str) -> str:
    if "language" in text:
        return f"the model {model!r} does not know the language {language!r} in location {location!r}: change one"
    if "recognizer" in text and "feature" in text:
        return f"the model {model!r} does not have what was asked of it: change GoogleOptions, hints or the model"
    if "model" in text:
        return f"there is no model {model!r} in location {location!r}: name another, or another location"
    if "location" in text or "resource" in text:
        return f"the project or the location {location!r} is not known: check project and location"
    return "the request is refused: check model, language, location and GoogleOptions"
