"""Everything the doctor looks at, one after the other."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from voiceloop.doctor.account import check_account
from voiceloop.doctor.address import check_address
from voiceloop.doctor.building import build
from voiceloop.doctor.clock import check_clock
from voiceloop.doctor.environment import TWILIO, Service, check_environment, services_of
from voiceloop.doctor.finding import Finding
from voiceloop.doctor.providers import check_providers, members
from voiceloop.doctor.versions import check_versions
from voiceloop.errors import VoiceloopError
from voiceloop.faults import describe
from voiceloop.rehearsal import REHEARSAL, rehearse
from voiceloop.runtime import Runtime
from voiceloop.server.phone_options import PhoneError, PhoneOptions

__all__ = ["Request", "examine"]


@dataclass(frozen=True, slots=True)
class Request:
    """What to look at."""

    module: ModuleType | None
    """Of the bot; None when it cannot be loaded."""
    providers: tuple[Any, ...] = ()
    """Its providers, as far as they are known."""
    twilio: bool = True
    """Whether it is to answer a number."""
    public_url: str | None = None
    """Where it is served; None: ``VOICELOOP_PUBLIC_URL``."""
    number: str = ""
    """The number to look at (E.164); empty for all of the account."""


async def examine(request: Request) -> AsyncIterator[Finding]:
    """Look at everything. What is wrong with one thing does not hide another."""
    for finding in check_versions():
        yield finding
    providers = tuple(members(request.providers))
    services = [*services_of(providers), *([TWILIO] if request.twilio else [])]
    for service in services:
        yield check_environment(service, os.environ)
    well = True
    async for finding in check_providers(providers):
        well = well and finding.state != "wrong"
        yield finding
    if request.module is not None:
        yield await _rehearsal(request.module, providers, well)
    if request.twilio:
        async for finding in _phone(request):
            yield finding
    yield await check_clock([_address(service) for service in reversed(services)])


async def _rehearsal(module: ModuleType, providers: tuple[Any, ...], well: bool) -> Finding:
    """Whether ``bot(call)`` gives a pipeline that starts; or at least gives one, when a provider cannot start."""
    try:
        async with Runtime() as runtime:
            if not well:
                await build(module.bot, runtime)
                return Finding("bot", "skipped", "its pipeline is built; it cannot start before its providers work")
            rehearsal = await rehearse(module.bot, runtime)
    except VoiceloopError as error:
        return Finding("bot", "wrong", str(error))
    except Exception as error:
        return Finding("bot", "wrong", f"bot(call) raised {describe(error)[0]}")
    if rehearsal.reason != REHEARSAL:
        return Finding("bot", "wrong", "; ".join(f"{fault.kind}: {fault.message}" for fault in rehearsal.faults))
    if not providers:
        return Finding("bot", "warning", "it starts, but its module names no provider, so none was asked by itself")
    return Finding("bot", "ok", "it starts")


async def _phone(request: Request) -> AsyncIterator[Finding]:
    options = PhoneOptions(public_url=request.public_url)
    token = base = ""
    try:
        token = options.secret()
        yield Finding("auth token", "ok", "there is one, by which the server knows Twilio")
    except PhoneError as error:
        yield Finding("auth token", "wrong", str(error))
    try:
        base = options.base()
    except PhoneError as error:
        yield Finding("public URL", "wrong", str(error))
    async for finding in check_account(base, request.number):
        yield finding
    if base:
        async for finding in check_address(base, token, simulated=bool(os.environ.get(TWILIO.address_variable))):
            yield finding


def _address(service: Service) -> str:
    """Where it is; the simulator of Google speaks no plain HTTP, and does not answer then."""
    return os.environ.get(service.address_variable, "") or service.address
