"""What the refusals of Anthropic's service mean, and whether to ask again. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping

from voiceloop.errors import ModelError, quoted

__all__ = ["Failure", "Retries", "key_hint", "of_event", "of_status"]

_PAUSE = 0.2
"""Seconds before the second request; each further pause is twice as long."""
_PASSING = {
    "overloaded_error": "the service is overloaded",
    "rate_limit_error": "too many requests or tokens",
    "api_error": "the service failed",
    "timeout_error": "the service took too long",
    "conflict_error": "the service is busy with the same",
}
"""Errors that may be over by the next request."""
_TYPES = {
    408: "timeout_error",
    409: "conflict_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FOREIGN = (
    ("sk-ant-admin", "this is an admin key; answers need an ordinary API key"),
    ("sk-ant-oat", "this is the token of a login; answers need an API key"),
    ("sk-ant-", "was it revoked, or copied in part?"),
    ("sk-or-", "this looks like a key of OpenRouter; keys of Anthropic begin with sk-ant-"),
    ("sk-", "this looks like a key of OpenAI; keys of Anthropic begin with sk-ant-"),
    ("sk_car_", "this looks like a key of Cartesia; keys of Anthropic begin with sk-ant-"),
    ("AIza", "this looks like a key of Google; keys of Anthropic begin with sk-ant-"),
)


class Failure(ModelError):
    """A request that failed.

    Args:
        text: what happened, and what to do.
        again: whether another request may do better.
        wait: seconds that the service asks to wait before; None when it does not say.
        at_once: whether the pause before another one may be left out: nothing was the matter with the service.
    """

    def __init__(self, text: str, *, again: bool = False, wait: float | None = None, at_once: bool = False) -> None:
        super().__init__(text)
        self.again = again
        self.wait = wait
        self.at_once = at_once


class Retries:
    """How often and when to ask again for one answer.

    Args:
        budget: seconds from the first request within which another one may begin.
        now: when that was, on the loop's clock.
    """

    def __init__(self, budget: float, now: float) -> None:
        self._budget = budget
        self._end = now + budget
        self._made = 1

    def pause(self, failure: Failure, now: float) -> float | None:
        """Seconds until the next request; None when there is to be none."""
        if not failure.again:
            return None
        usual = 0.0 if failure.at_once and self._made == 1 else _PAUSE * 2 ** (self._made - 1)
        pause = usual if failure.wait is None else failure.wait
        if now + pause > self._end:
            return None
        self._made += 1
        return pause

    def given_up(self, failure: Failure) -> Failure:
        """The failure, with what was tried."""
        if not failure.again or not self._budget:
            return failure
        if failure.wait is not None and failure.wait > self._budget:
            return Failure(f"{failure}; a caller does not wait so long (retry={self._budget:g} s)")
        return Failure(f"{failure}; asked {self._made} times in {self._budget:g} s") if self._made > 1 else failure


def of_status(status: int, kind: str, said: str, headers: Mapping[str, str], model: str, key: str) -> Failure:
    """What an answer with a status other than 200 means.

    Args:
        kind: the type of the error, ``overloaded_error`` and so on; empty when the body is none of the service's.
        said: what its text says.
        headers: of the answer.
        model: the model that was asked for.
        key: what was sent; only its beginning is looked at.
    """
    told = f": {quoted(said)}" if said else ""
    credit = "credit balance" in said.lower()
    if 300 <= status < 400:
        where = f" to {quoted(headers['location'].partition('?')[0])}" if headers.get("location") else ""
        return Failure(f"it redirects{where} ({status}), and redirects are not followed: make that the base_url")
    if status == 401:
        return Failure(f"the key is not accepted (401){told}; {key_hint(key)}")
    if status == 402 or credit:
        return Failure(f"there is no credit left ({status}): buy some under Billing in the Anthropic Console{told}")
    if status == 403:
        return Failure(f"access is denied (403): the key may not use {model!r}, or not from here{told}")
    if status == 404:
        return Failure(_not_found(kind, said, model))
    if status == 413:
        return Failure(f"the conversation is too large (413): lower context in the options{told}")
    if status in _TYPES or status >= 500:
        return _passing(kind or _TYPES.get(status, "api_error"), told, str(status), headers)
    if not kind and not said:
        return Failure(f"no answer of Anthropic's came (status {status}): is this the right base_url?")
    return Failure(f"the service refused the request ({status}){told}")


def of_event(kind: str, said: str) -> Failure:
    """What an error in the middle of a stream means."""
    if kind in _PASSING:
        return _passing(kind, f": {quoted(said)}" if said else "", "while it answered", {})
    return Failure(f"the service broke off the answer ({quoted(kind)}): {quoted(said)}")


def key_hint(key: str) -> str:
    """What may be wrong with a key, by how it begins."""
    if not key:
        return "set the environment variable ANTHROPIC_API_KEY, or pass api_key"
    return next((hint for start, hint in _FOREIGN if key.startswith(start)), "keys of Anthropic begin with sk-ant-")


def _not_found(kind: str, said: str, model: str) -> str:
    if kind == "not_found_error" and model in said:
        return (
            f"there is no model {model!r} (404), or the key may not use it: check its name in Anthropic's list of "
            "models (platform.claude.com/docs/en/about-claude/models)"
        )
    told = f": {quoted(said)}" if said else ""
    return f"the path /v1/messages is not there (404): base_url ends before /v1; is it right?{told}"


def _passing(kind: str, told: str, where: str, headers: Mapping[str, str]) -> Failure:
    wait = _retry_after(headers)
    when = f"; it asks to wait {wait:g} s" if wait is not None else ""
    again = headers.get("x-should-retry", "") != "false"
    return Failure(f"{_PASSING.get(kind, 'the service failed')} ({where}){told}{when}", again=again, wait=wait)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds. The service sends them as a number; a date, which others send, would need another clock."""
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name, "")) / unit
        except ValueError:
            continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None
