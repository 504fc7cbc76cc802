"""Transports of httpx that send requests through the vault, and repeat one with the application's own key if the user has no key, or one without credit.

    fallback = Fallback(key, "https://api.openai.com")
    client = httpx.Client(transport=VaultTransport(vault, "openai", lambda: token, fallback=fallback))
    openai = OpenAI(http_client=client, api_key="in the vault")

Anthropic's SDK uses httpx2, which has the same interface: import httpx2 as httpx.
"""

import logging
from dataclasses import dataclass
from typing import Callable, Optional

import httpx

MAX_LENGTH = 1024 * 1024  # A longer body is not sent again.
REFUSALS = {"no_api_key", "user_not_found"}
# Where SDKs put their key. The first one that a request has is its place.
KEY_HEADERS = ["x-goog-api-key", "x-api-key", "api-key", "authorization"]
CREDENTIALS = {
    *KEY_HEADERS,
    "cf-access-client-secret",
    "cf-access-jwt-assertion",
    "cf-access-token",
    "cookie",
    "ocp-apim-subscription-key",
    "proxy-authorization",
    "x-amz-security-token",
    "x-auth-token",
}


@dataclass(frozen=True)
class Fallback:
    """The application's own key. It goes to `origin` alone, even if the client follows a redirect."""

    api_key: str
    origin: str


@dataclass(frozen=True)
class KeyUse:
    """Which key a request used. `reason` says why it was the application's."""

    source: str
    slot: str
    reason: Optional[str] = None


@dataclass(frozen=True)
class Relay:
    """What both transports need."""

    vault: str  # its address, such as https://vault.example.com
    provider: str  # the name of the slot
    token: Callable[[], str]  # returns an access token of the user with the relay's scope
    fallback: Optional[Fallback] = None
    on_key: Callable[[KeyUse], None] = lambda use: None

    def relayed(self, request):
        """The request to the vault."""
        vault = httpx.URL(self.vault.rstrip("/"))
        path = vault.raw_path.rstrip(b"/") + b"/relay/" + self.provider.encode() + request.url.raw_path
        is_home = _origin(request.url) == _origin(vault)  # a URL of the provider that the relay has replaced
        headers = {**_harmless(request.headers), "authorization": f"Bearer {self.token()}"}
        return _readdress(request, request.url if is_home else vault.copy_with(raw_path=path), headers)

    def repeated(self, request):
        """The request with the application's key; None if it cannot be sent again."""
        place = next((name for name in KEY_HEADERS if name in request.headers), None)
        if self.fallback is None or place is None or _origin(request.url) != _origin(httpx.URL(self.fallback.origin)):
            return None
        words = request.headers[place].split() if place == "authorization" else []
        key = " ".join([*words[:1], self.fallback.api_key] if len(words) > 1 else [self.fallback.api_key])
        return _readdress(request, request.url, {**_harmless(request.headers), place: key})

    def tell(self, answer, reason=None):
        """Says which key was used. If that fails, the answer is not lost."""
        source = "application" if reason else answer.headers.get("x-vault-key")
        if source is None:
            return
        try:
            self.on_key(KeyUse(source, answer.headers.get("x-vault-slot", self.provider), reason))
        except Exception:
            logging.exception("on_key failed")


class VaultTransport(httpx.BaseTransport):
    """For httpx.Client. Takes the fields of `Relay`."""

    def __init__(self, *args, inner=None, **options):
        self._relay = Relay(*args, **options)
        self._inner = inner or httpx.HTTPTransport()

    def handle_request(self, request):
        if self._relay.fallback and _is_short(request):
            request.read()
        answer = self._inner.handle_request(self._relay.relayed(request))
        reason = _reason(answer)
        repeated = self._relay.repeated(request) if reason and _is_short(request) else None
        if repeated is None:
            self._relay.tell(answer)
            return answer
        answer.close()
        answer = _as_applications(self._inner.handle_request(repeated))
        self._relay.tell(answer, reason)
        return answer

    def close(self):
        self._inner.close()


class AsyncVaultTransport(httpx.AsyncBaseTransport):
    """For httpx.AsyncClient. Takes the fields of `Relay`."""

    def __init__(self, *args, inner=None, **options):
        self._relay = Relay(*args, **options)
        self._inner = inner or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request):
        if self._relay.fallback and _is_short(request):
            await request.aread()
        answer = await self._inner.handle_async_request(self._relay.relayed(request))
        reason = _reason(answer)
        repeated = self._relay.repeated(request) if reason and _is_short(request) else None
        if repeated is None:
            self._relay.tell(answer)
            return answer
        await answer.aclose()
        answer = _as_applications(await self._inner.handle_async_request(repeated))
        self._relay.tell(answer, reason)
        return answer

    async def aclose(self):
        await self._inner.aclose()


def _origin(url):
    return url.scheme, url.host, url.port


def _is_short(request):
    is_known = "transfer-encoding" not in request.headers
    return is_known and int(request.headers.get("content-length", 0)) <= MAX_LENGTH


def _harmless(headers):
    """Drops what chooses a key, and credentials: an application may pass on the headers of a browser."""
    drop = {"host", *CREDENTIALS}
    return {name: value for name, value in headers.items() if name not in drop and not name.startswith("x-vault-")}


def _readdress(request, url, headers):
    headers = {"host": url.netloc.decode("ascii"), **headers}
    return httpx.Request(request.method, url, headers=headers, stream=request.stream, extensions=request.extensions)


def _reason(answer):
    """Why the request falls back; None if it does not."""
    if answer.headers.get("x-vault-condition") == "out_of_credit":
        return "out_of_credit"
    code = answer.headers.get("x-vault-error")
    return code if code in REFUSALS else None


def _as_applications(answer):
    """Marks the answer. The provider's own X-Vault-* headers are dropped."""
    for name in [name for name in answer.headers if name.startswith("x-vault-")]:
        del answer.headers[name]
    answer.headers["x-vault-key"] = "application"
    return answer
