"""The way to Google's Speech-to-Text: package, credentials, channel."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

from voiceloop.errors import ModelError, require
from voiceloop.offload import Limit, offload
from voiceloop.stt.google_errors import SpeechRefused, Status, explained, missing_key_file
from voiceloop.stt.google_request import Dialect, dialect

__all__ = ["Client", "Target", "target_of"]

ENDPOINT_VARIABLE = "GOOGLE_SPEECH_ENDPOINT"
PROJECT_VARIABLE = "GOOGLE_CLOUD_PROJECT"
HOST = "speech.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_TOKEN_LIMIT = 8.0
"""Seconds that getting a first token may take."""
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Target:
    """Where the service is.

    Args:
        host: name or address.
        port: 0 for the usual one.
        secure: whether it speaks TLS.
    """

    def __init__(self, host: str, port: int, secure: bool) -> None:
        self.host = host
        self.secure = secure
        self.address = f"[{host}]" if ":" in host else host
        if port:
            self.address += f":{port}"

    def __str__(self) -> str:
        return self.address


def target_of(endpoint: str, location: str) -> Target:
    """Read an endpoint: empty for Google's, ``http://host:port`` for a server without TLS, else with TLS.

    Raises:
        ValueError: it is no endpoint.
    """
    if not endpoint:
        return Target(HOST if location == "global" else f"{location}-{HOST}", 0, True)
    try:
        parts = urlsplit(endpoint if "//" in endpoint else f"https://{endpoint}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port, parts = None, None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.path.strip("/") or parts.username:
        shown = endpoint.rpartition("@")[2]
        raise ValueError(
            f"expected an endpoint like 'eu-speech.googleapis.com' or 'http://127.0.0.1:9000', got {shown!r}"
        )
    secure = parts.scheme == "https"
    return Target(host, port or (0 if secure else 80), secure)


class Client:
    """Google's own client, made on first use, shared by all calls of a provider.

    Args:
        version: ``v1`` or ``v2``.
        project: None: what the environment or the credentials say.
        location: of the service.
        endpoint: None: what the environment says.
        credentials: of google-auth; None: Google's default ones.
        channel: makes a `grpc.aio.Channel` to use instead.
        connect: seconds that opening a stream may take.
    """

    def __init__(
        self,
        version: str,
        project: str | None,
        location: str,
        endpoint: str | None,
        credentials: Any,
        channel: Callable[[], Any] | None,
        connect: float,
    ) -> None:
        self._version = version
        self._given_project = project
        self._location = location
        self._endpoint = endpoint
        self._credentials = credentials
        self._make_channel = channel
        self._connect = connect
        self._opening = Limit(1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._channel: Any = None
        self._client: Any = None
        self._metadata: tuple[tuple[str, str], ...] = ()
        self.dialect: Dialect
        """Set by `open_up`; so are the next two."""
        self.project = project or ""
        self.host = ""

    async def open_up(self) -> None:
        """Import the package, find credentials and make a channel, unless that was done.

        Raises:
            MissingExtra: google-cloud-speech is not installed.
            SpeechRefused: there are no credentials, or no project.
        """
        async with self._opening:
            loop = asyncio.get_running_loop()
            if self._client is not None:
                if self._loop is loop:
                    return
                if self._loop is not None and not self._loop.is_closed():
                    raise ModelError(
                        "this GoogleSTT belongs to another event loop: close it there first, with aclose()"
                    )
            await self._build()
            self._loop = loop

    async def _build(self) -> None:
        speech, types, transports = await offload(_packages, self._version)
        endpoint = os.environ.get(ENDPOINT_VARIABLE, "") if self._endpoint is None else self._endpoint
        target = target_of(endpoint, self._location)
        self.host = "memory" if self._make_channel is not None else str(target)
        self._metadata = ()
        project = self._given_project or os.environ.get(PROJECT_VARIABLE, "")
        if self._make_channel is not None:
            transport = transports.SpeechGrpcAsyncIOTransport(channel=self._make_channel())
        elif not target.secure:
            aio = require("grpc.aio", "google", "GoogleSTT")
            transport = transports.SpeechGrpcAsyncIOTransport(channel=aio.insecure_channel(target.address))
            if self._credentials is not None and target.host in _LOOPBACK:
                self._metadata = await self._token(self._credentials)  # a key never goes in the clear to another host
        else:
            credentials, found = await self._find_credentials()
            project = project or found
            transport = transports.SpeechGrpcAsyncIOTransport(host=target.address, credentials=credentials)
        if not project and self._version == "v2":
            if target.secure and self._make_channel is None:
                await transport.close()
                raise SpeechRefused(f"no project: set {PROJECT_VARIABLE}, or pass GoogleSTT(project=…)")
            project = "local"
        self.project = project
        self.dialect = dialect(self._version, types)
        self._channel = transport.grpc_channel
        self._client = speech.SpeechAsyncClient(transport=transport)

    async def _find_credentials(self) -> tuple[Any, str]:
        """Credentials with a token, and the project they name."""
        if self._credentials is not None:
            await self._token(self._credentials)
            return self._credentials, ""
        auth = require("google.auth", "google", "GoogleSTT")
        errors = require("google.auth.exceptions", "google")
        try:
            credentials, project = await offload(lambda: auth.default(scopes=[_SCOPE]))
        except (errors.DefaultCredentialsError, ValueError, OSError) as error:
            if missing := missing_key_file(os.environ):
                raise SpeechRefused(f"no credentials for Google: {missing}") from None
            raise SpeechRefused(
                "no credentials for Google: set GOOGLE_APPLICATION_CREDENTIALS to the path of a service account's key "
                f"file, or run `gcloud auth application-default login` [{_first_line(error)}]"
            ) from None
        if hasattr(credentials, "with_always_use_jwt_access"):
            credentials = credentials.with_always_use_jwt_access(True)  # signed here: no request for a token
        await self._token(credentials)
        return credentials, project or ""

    async def _token(self, credentials: Any) -> tuple[tuple[str, str], ...]:
        """Get the first token now rather than in a call."""
        requests = require("google.auth.transport.requests", "google", "GoogleSTT")
        errors = require("google.auth.exceptions", "google")

        def fetch() -> tuple[tuple[str, str], ...]:
            if not credentials.valid:
                credentials.refresh(requests.Request())
            return (("authorization", f"Bearer {credentials.token}"),)

        try:
            async with asyncio.timeout(_TOKEN_LIMIT):
                return await offload(fetch)
        except TimeoutError:
            raise SpeechRefused(f"Google gave no token within {_TOKEN_LIMIT:g} s: check the network") from None
        except errors.GoogleAuthError as error:
            raise self.refusal(Status("UNAUTHENTICATED", _first_line(error)), "", "") from None

    async def stream(self, requests: AsyncIterator[Any]) -> Any:
        """Open a stream. No retry and no deadline of the client's own: v1's would resend audio for an hour, and a
        deadline covers the whole stream."""
        if self._client is None or self._loop is not asyncio.get_running_loop():
            await self.open_up()
        async with asyncio.timeout(self._connect):
            return await self._client.streaming_recognize(
                requests=requests, retry=None, timeout=None, metadata=self._metadata
            )

    async def aclose(self) -> None:
        """Close the channel; the next use opens another."""
        channel, self._channel, self._client = self._channel, None, None
        loop, self._loop = self._loop, None
        if channel is not None and loop is asyncio.get_running_loop():
            await channel.close()

    def refusal(self, status: Status, model: str, language: str) -> SpeechRefused:
        """What a status means."""
        return explained(
            status, model=model, language=language, location=self._location, project=self.project, host=self.host
        )


def _packages(version: str) -> tuple[Any, Any, Any]:
    speech = require(f"google.cloud.speech_{version}", "google", "GoogleSTT")
    types = require(f"google.cloud.speech_{version}.types.cloud_speech", "google", "GoogleSTT")
    transports = require(f"google.cloud.speech_{version}.services.speech.transports", "google", "GoogleSTT")
    return speech, types, transports


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
