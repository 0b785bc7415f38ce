"""``X-Twilio-Signature``: whether a request comes from Twilio, and the same signature made by the simulator.

A form post is signed as its URL, exactly as Twilio requested it, followed by the name and the value of each parameter
in the order of the names' bytes; anything else as its URL alone, which then carries the hash of the body in the
parameter ``bodySHA256``. The WebSocket of a media stream is signed as its ``wss://`` URL. The code is an HMAC in
base64: SHA-1 with the account's auth token, or SHA-256 with a shared key that the header
``X-Twilio-Webhooks-Signature-Settings`` names.

The official SDK's ``RequestValidator`` is not used: it adds port 80 to a ``wss://`` URL, breaks the URLs of IPv6
addresses, and raises `TypeError` for a body without a hash. Where it is right, the tests hold this module to it.

Source: https://www.twilio.com/docs/usage/security, and ``twilio/request_validator.py`` of the SDK 9.13.0.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha1, sha256
from itertools import product
from typing import Any, Final, TypeAlias
from urllib.parse import SplitResult, parse_qs, parse_qsl, urlsplit

__all__ = [
    "HMAC_SHA1",
    "HMAC_SHA256",
    "SETTINGS_HEADER",
    "SIGNATURE_HEADER",
    "Params",
    "Settings",
    "body_hash",
    "is_genuine",
    "is_genuine_handshake",
    "settings",
    "sign",
]

SIGNATURE_HEADER: Final = "X-Twilio-Signature"
SETTINGS_HEADER: Final = "X-Twilio-Webhooks-Signature-Settings"
HMAC_SHA1: Final = "HMAC_SHA1"
HMAC_SHA256: Final = "HMAC_SHA256"

Params: TypeAlias = Mapping[str, str] | Iterable[tuple[str, str]]
"""The fields of a form, by name or as pairs; a name may come more than once in pairs."""

_HASHES: Final[dict[str, Callable[..., Any]]] = {HMAC_SHA1: sha1, HMAC_SHA256: sha256}
_MAX_FIELDS: Final = 50
"""Fields of a handshake's query."""
_PORTS: Final = {"http": 80, "ws": 80, "https": 443, "wss": 443}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the header `SETTINGS_HEADER` says."""

    key: str = ""
    """Id of the shared key; empty for the auth token."""
    algorithm: str = HMAC_SHA1


def settings(header: str | None) -> Settings:
    """Read ``key=…,algorithm=…``. Without the header the auth token has signed, by SHA-1."""
    found = {}
    for part in (header or "").split(","):
        name, equals, value = part.partition("=")
        if equals and value.strip():
            found[name.strip()] = value.strip()
    return Settings(found.get("key", ""), found.get("algorithm", HMAC_SHA1).upper())


def body_hash(body: bytes) -> str:
    """What stands in the URL's parameter ``bodySHA256`` for this body: 64 hexadecimal digits."""
    return sha256(body).hexdigest()


def sign(secret: str, url: str, params: Params = (), *, algorithm: str = HMAC_SHA1) -> str:
    """The signature of a request.

    Args:
        secret: the auth token, or the shared key's secret.
        url: as Twilio requests it: scheme, host, path and query, undecoded.
        params: the fields of a form post. Several values of one name are signed in order, each once.

    Raises:
        ValueError: the algorithm is none of the two, or the secret is empty.
    """
    if algorithm not in _HASHES:
        raise ValueError(f"expected {HMAC_SHA1} or {HMAC_SHA256}, got {algorithm!r}")
    if not secret:
        raise ValueError("an empty secret signs nothing")
    pairs = params.items() if isinstance(params, Mapping) else params
    text = url + "".join(name + value for name, value in sorted(set(pairs)))
    return b64encode(hmac.digest(secret.encode(), text.encode(), _HASHES[algorithm])).decode()


def is_genuine(
    secret: str,
    url: str,
    signature: str | None,
    params: Params = (),
    *,
    body: bytes | None = None,
    algorithm: str = HMAC_SHA1,
) -> bool:
    """Whether Twilio has signed this webhook. Never raises: what cannot be checked is not genuine.

    Args:
        secret: the auth token, or the shared key's secret.
        url: as Twilio was told to request it. Its port is tried as it stands, left out, and added if it is the
            scheme's own, since Twilio is not consistent about it.
        signature: the header `SIGNATURE_HEADER`.
        params: the fields of a form post.
        body: of a request that is no form; it is covered by the URL's ``bodySHA256`` or not at all.
        algorithm: `Settings.algorithm`.
    """
    try:
        if body is not None:
            given = parse_qs(urlsplit(url).query).get("bodySHA256")
            if given is None:
                if body:
                    return False
            elif not hmac.compare_digest(body_hash(body).encode(), given[0].encode()):
                return False
            params = ()
        pairs = list(params.items() if isinstance(params, Mapping) else params)
        return _matches(secret, [url, *_with_ports(urlsplit(url))], signature, pairs, algorithm)
    except Exception:  # an outsider writes the URL's path and the parameters
        return False


def is_genuine_handshake(secret: str, url: str, signature: str | None, *, algorithm: str = HMAC_SHA1) -> bool:
    """Whether Twilio has signed the handshake of this WebSocket. Never raises.

    Which URL Twilio signs there is not settled, so whatever one server may be called is tried: both schemes, with and
    without port, with and without a slash at the end, a query in the URL or as parameters.

    Args:
        secret: the auth token, or the shared key's secret.
        url: of the socket, as the TwiML names it; any of the four schemes.
        signature: the header `SIGNATURE_HEADER`.
        algorithm: `Settings.algorithm`.
    """
    try:
        parts = urlsplit(url)
        secure = parts.scheme in ("wss", "https")
        schemes = ("wss", "https") if secure else ("ws", "http")
        paths = dict.fromkeys((parts.path, parts.path.rstrip("/"), parts.path.rstrip("/") + "/"))
        queries: list[tuple[str, list[tuple[str, str]]]] = [(parts.query, [])]
        if parts.query:
            # A stream's URL has no query, so this one is a stranger's: signing many fields many times takes long.
            queries.append(("", parse_qsl(parts.query, keep_blank_values=True, max_num_fields=_MAX_FIELDS)))
        found = False
        for scheme, path, (query, pairs) in product(schemes, paths, queries):
            urls = _with_ports(parts._replace(scheme=scheme, path=path, query=query))
            found |= _matches(secret, urls, signature, pairs, algorithm)
        return found
    except Exception:  # as above
        return False


def _matches(
    secret: str, urls: Iterable[str], signature: str | None, pairs: list[tuple[str, str]], algorithm: str
) -> bool:
    """Whether the signature is that of one of the URLs; takes as long for a wrong one as for a right one."""
    given = (signature or "").encode()
    found = False
    for url in urls:
        found |= hmac.compare_digest(sign(secret, url, pairs, algorithm=algorithm).encode(), given)
    return found


def _with_ports(parts: SplitResult) -> list[str]:
    """The URL as it is, without a port, and with the scheme's own port if it has none."""
    user, at, place = parts.netloc.rpartition("@")
    bare = place
    if parts.port is not None:
        bare = place.rpartition(":")[0]
    urls = [parts.geturl(), parts._replace(netloc=f"{user}{at}{bare}").geturl()]
    if parts.port is None and parts.scheme in _PORTS:
        urls.append(parts._replace(netloc=f"{user}{at}{place}:{_PORTS[parts.scheme]}").geturl())
    return list(dict.fromkeys(urls))
