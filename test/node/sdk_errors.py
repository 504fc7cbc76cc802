"""Makes calls with the SDKs of Python, and prints what an application sees of each error.

Usage: sdk_errors.py < calls. Both are JSON lists. A call has `id`, `sdk`, `base`, `token`, `model`, `retries` and `shows`: expressions
of the error, by name.
"""

import json
import sys

import anthropic
import openai
from google import genai
from google.genai.errors import APIError
from meaning import explain, explain_google

MESSAGES = [{"role": "user", "content": "Say hello"}]


def call_openai(base, token, model, retries):
    client = openai.OpenAI(base_url=base, api_key=token, max_retries=retries)
    client.chat.completions.create(model=model, messages=MESSAGES)


def call_anthropic(base, token, model, retries):
    client = anthropic.Anthropic(base_url=base, api_key=token, max_retries=retries)
    client.messages.create(model=model, messages=MESSAGES, max_tokens=10)


def call_google(base, token, model, retries):
    client = genai.Client(api_key=token, http_options={"base_url": base})
    client.models.generate_content(model=model, contents="Say hello")


SDKS = {
    "openai": (call_openai, openai.APIStatusError, explain),
    "anthropic": (call_anthropic, anthropic.APIStatusError, explain),
    "google-genai": (call_google, APIError, explain_google),
}


def see(id, sdk, shows, **asked):
    call, kind, tell = SDKS[sdk]
    try:
        call(**asked)
    except kind as error:
        shown = {name: eval(expression, {"error": error}) for name, expression in shows.items()}
        return {"id": id, "class": type(error).__name__, "meaning": tell(error), "text": str(error), **shown}
    return {"id": id, "class": None}


json.dump([see(**call) for call in json.load(sys.stdin)], sys.stdout)
