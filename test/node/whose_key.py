"""Sends a request with the transport of examples/httpx, and prints what an application sees of it.

Usage: whose_key.py < call, a JSON object with `vault`, `origin` of the provider, `api_key` to fall back to and `token`. With `kind`, a
client of httpx sends `body`. With `sdk`, an SDK asks for a text.
"""

import asyncio
import json
import sys

CALL = json.load(sys.stdin)
if CALL.get("sdk") == "anthropic":
    import httpx2

    sys.modules["httpx"] = httpx2

import httpx
from vault_transport import AsyncVaultTransport, Fallback, VaultTransport

SMALL = b'{"model": "gpt-5-mini"}'
MAX_LENGTH = 1024 * 1024
USES = []


def transport(kind, provider="openai"):
    fallback = Fallback(CALL["api_key"], CALL["origin"])
    on_key = lambda use: USES.append([use.source, use.slot, use.reason])
    return kind(CALL["vault"], provider, lambda: CALL["token"], fallback=fallback, on_key=on_key)


def options():
    """What a client of httpx is asked to send."""
    body = CALL["body"]
    headers = {"authorization": "Bearer in the vault", "x-vault-user": "good", "cookie": "a=b"}
    if body == "no key":
        del headers["authorization"]
    # The transport sends it to the vault too. A redirect to another host would look like this.
    origin = CALL["origin"].replace("127.0.0.1", "localhost") if body == "elsewhere" else CALL["origin"]
    request = {"method": "GET" if body == "none" else "POST", "url": f"{origin}/v1/chat?a=%20b", "headers": headers}
    if body == "form":
        return {**request, "files": {"file": ("a.txt", b"in a form")}}
    if body == "streamed":
        return {**request, "content": chunks() if CALL["kind"] == "Client" else async_chunks()}
    contents = {"none": None, "longest": b"x" * MAX_LENGTH, "large": b"x" * (MAX_LENGTH + 1)}
    return {**request, "content": contents.get(body, SMALL)}


def chunks():
    yield SMALL[:5]
    yield SMALL[5:]


async def async_chunks():
    for chunk in chunks():
        yield chunk


def send():
    with httpx.Client(transport=transport(VaultTransport)) as client:
        return client.request(**options())


async def send_async():
    async with httpx.AsyncClient(transport=transport(AsyncVaultTransport)) as client:
        return await client.request(**options())


def ask_openai():
    import openai

    http = httpx.Client(transport=transport(VaultTransport))
    client = openai.OpenAI(http_client=http, base_url=f"{CALL['origin']}/v1", api_key="in the vault")
    return client.chat.completions.create(model="gpt-5-mini", messages=[]).choices[0].message.content


async def ask_openai_async():
    import openai

    http = httpx.AsyncClient(transport=transport(AsyncVaultTransport))
    client = openai.AsyncOpenAI(http_client=http, base_url=f"{CALL['origin']}/v1", api_key="in the vault")
    return (await client.chat.completions.create(model="gpt-5-mini", messages=[])).choices[0].message.content


def ask_anthropic():
    import anthropic

    http = httpx.Client(transport=transport(VaultTransport, "anthropic"))
    client = anthropic.Anthropic(http_client=http, base_url=CALL["origin"], api_key="in the vault")
    return client.messages.create(model="claude-haiku-4-5", messages=[], max_tokens=10).content[0].text


def tell(answer):
    names = [name for name in answer.headers if name.startswith("x-vault-") and name != "x-vault-request-id"]
    return {"status": answer.status_code, "vault": {name: answer.headers[name] for name in names}}


if "sdk" in CALL:
    sdks = {"openai": ask_openai, "anthropic": ask_anthropic, "AsyncOpenAI": lambda: asyncio.run(ask_openai_async())}
    told = {"text": sdks[CALL["sdk"]]()}
else:
    told = tell(send() if CALL["kind"] == "Client" else asyncio.run(send_async()))
json.dump({**told, "uses": USES}, sys.stdout)
