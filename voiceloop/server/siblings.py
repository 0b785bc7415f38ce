"""The workers of one server ask one another: a webhook may reach another worker than the one that has the call.

Each listens on a Unix socket in a private folder. A question is one line of JSON, and so is its answer.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from voiceloop.call import Call
from voiceloop.carried import Carried
from voiceloop.faults import describe
from voiceloop.server.phone import Phone
from voiceloop.server.returns import Fate, Keeper
from voiceloop.server.webhook import AnsweredBy, CallStatus, LatestStatuses
from voiceloop.store.carried_values import carried_of, carried_values

__all__ = ["Siblings"]

log = logging.getLogger("voiceloop.phone")

_LIMIT: Final = 1.0
"""Seconds that all siblings together have to answer."""
_MAX_LINE: Final = 4 * 1024 * 1024
"""Bytes of a question or an answer: a long call's conversation, at most."""
_MOST: Final = 200
"""Questions that are answered at a time."""
_SUFFIX: Final = ".sock"

Answer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Answers a question: what it is asked with, and what it says; both plain values."""
News = CallStatus | AnsweredBy


class Siblings:
    """One worker among the others.

    Args:
        folder: what they share; nobody else may enter it.
        name: of this worker, different from every other's.
        keeps_records: whether the phone's keeper knows of calls beyond this process by itself.
    """

    def __init__(self, folder: str | os.PathLike[str], name: str, *, keeps_records: bool = False) -> None:
        self.answers: dict[str, Answer] = {}
        """What can be asked, by name; ``metrics`` might be one."""
        self._folder = Path(folder)
        self._name = name
        self._keeps_records = keeps_records
        self._asked: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def join(self, phone: Phone) -> AsyncIterator[None]:
        """Answer the others until the block is left, and have what a phone is told find the worker it concerns."""
        relay = _Relay(self, phone)
        self.answers["news"] = relay.hear
        if not self._keeps_records:
            memory = phone.keeper
            shared = phone.keeper = _SharedMemory(self, memory)
            self.answers |= {"fate": shared.answer_fate, "take_up": shared.answer_take_up}
        path = self._folder / f"{self._name}{_SUFFIX}"
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._connected, path, limit=_MAX_LINE)
        try:
            yield
        finally:
            server.close()
            path.unlink(missing_ok=True)
            for task in list(self._asked):
                task.cancel()
            if self._asked:
                await asyncio.wait(self._asked)

    async def ask(self, question: str, what: dict[str, Any], *, limit: float = _LIMIT) -> dict[str, dict[str, Any]]:
        """Ask all the others at once. Returns the answers of those that have one in time, by their names."""
        names = self._others()
        line = json.dumps({"ask": question, "what": what}).encode() + b"\n"
        asked = [asyncio.ensure_future(self._ask(name, line)) for name in names]
        if not asked:
            return {}
        try:
            await asyncio.wait(asked, timeout=limit)
        finally:
            for task in asked:
                task.cancel()
            await asyncio.wait(asked)
        done = ((name, task) for name, task in zip(names, asked, strict=True) if not task.cancelled())
        return {name: answer for name, task in done if (answer := task.result()) is not None}

    # --- inside --------------------------------------------------------------------------------------------

    def _others(self) -> list[str]:
        try:
            found = [entry.name.removesuffix(_SUFFIX) for entry in os.scandir(self._folder) if _SUFFIX in entry.name]
        except OSError:
            return []
        return sorted(name for name in found if name != self._name)

    async def _ask(self, name: str, line: bytes) -> dict[str, Any] | None:
        try:
            reader, writer = await asyncio.open_unix_connection(self._folder / f"{name}{_SUFFIX}", limit=_MAX_LINE)
        except OSError:  # it has just ended, or was killed
            return None
        try:
            writer.write(line)
            answer = json.loads(await reader.readline())
        except (OSError, ValueError):
            return None
        finally:
            writer.close()
        return answer if isinstance(answer, dict) else None

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._asked) >= _MOST:
            writer.close()
            return
        self.spawn(self._answer(reader, writer))

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something that ends with the block of `join`, at the latest."""
        task = asyncio.ensure_future(work)
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(2 * _LIMIT):
                question = json.loads(await reader.readline())
            answer = self.answers.get(question["ask"])
            said = await answer(question["what"]) if answer is not None else {}
            writer.write(json.dumps(said, default=float).encode() + b"\n")
        except (OSError, ValueError, TimeoutError):  # it was in a hurry, or has ended
            return
        except Exception as error:
            log.error("a question of another worker has no answer: %s\n%s", *describe(error))
        finally:
            writer.close()


class _Relay:
    """Hands what Twilio says of a call to the worker that has it; what nobody has is this worker's own."""

    def __init__(self, siblings: Siblings, phone: Phone) -> None:
        self._siblings = siblings
        self._phone = phone
        self._statuses, phone.on_status[:] = list(phone.on_status), [self.tell]
        self._answered, phone.on_answered_by[:] = list(phone.on_answered_by), [self.tell]
        self._latest = LatestStatuses()

    async def tell(self, news: News) -> None:
        """A webhook has reached this worker."""
        if news.call_sid not in self._phone.manager:
            kind = "status" if isinstance(news, CallStatus) else "answered by"
            said = await self._siblings.ask("news", {"kind": kind, "form": list(news.fields.items())})
            if any(answer.get("taken") for answer in said.values()):
                return
        await self._told(self._own(news), news)

    async def hear(self, what: dict[str, Any]) -> dict[str, Any]:
        """It has reached another worker."""
        form = [(str(name), str(value)) for name, value in what["form"]]
        status = what["kind"] == "status"
        news: News = CallStatus.of(form) if status else AnsweredBy.of(form)
        taken = news.call_sid in self._phone.manager
        if isinstance(news, CallStatus) and not self._latest.take(news):
            return {"taken": taken}
        hooks = self._phone.on_status if status else self._phone.on_answered_by
        # What was added since waits for news of calls of its own, and knows them by itself.
        later = [hook for hook in hooks if hook != self.tell]
        # Not waited for: who asks would take a late answer for none, and tell its own hooks, too.
        self._siblings.spawn(self._told_in_time([*(self._own(news) if taken else ()), *later], news))
        return {"taken": taken}

    async def _told_in_time(self, hooks: list[Callable[[Any], object]], news: News) -> None:
        try:
            async with asyncio.timeout(self._phone.options.hook_wait):
                await self._told(hooks, news)
        except TimeoutError:
            log.error("call %s: a hook took longer than %g s", news.call_sid, self._phone.options.hook_wait)

    def _own(self, news: News) -> list[Callable[[Any], object]]:
        return [*self._statuses] if isinstance(news, CallStatus) else [*self._answered]

    async def _told(self, hooks: list[Callable[[Any], object]], news: News) -> None:
        for hook in hooks:
            try:
                result = hook(news)
                if inspect.isawaitable(result):
                    await result
            except Exception as error:
                line, detail = describe(error)
                log.error("call %s: a hook failed: %s\n%s", news.call_sid, line, detail)


class _SharedMemory:
    """The keeper of a worker that remembers only its own calls, and asks the others for theirs."""

    def __init__(self, siblings: Siblings, own: Keeper) -> None:
        self._siblings = siblings
        self._own = own

    def began(self, call: Call) -> None:
        self._own.began(call)

    def over(self, call_sid: str) -> None:
        self._own.over(call_sid)

    async def fate(self, call_sid: str) -> Fate:
        fate = await self._own.fate(call_sid)
        if fate != "unknown":
            return fate
        said = {answer.get("fate") for answer in (await self._siblings.ask("fate", {"call": call_sid})).values()}
        return "ended" if "ended" in said else "lost" if "lost" in said else "unknown"

    async def take_up(self, call_sid: str) -> Carried | None:
        carried = await self._own.take_up(call_sid)
        if carried is not None:
            return carried
        answers = await self._siblings.ask("take_up", {"call": call_sid})
        found = (answer["carried"] for answer in answers.values() if answer.get("carried"))
        return next((carried_of(values) for values in found), None)

    async def answer_fate(self, what: dict[str, Any]) -> dict[str, Any]:
        return {"fate": await self._own.fate(str(what["call"]))}

    async def answer_take_up(self, what: dict[str, Any]) -> dict[str, Any]:
        carried = await self._own.take_up(str(what["call"]))
        return {"carried": None if carried is None else carried_values(carried)}
