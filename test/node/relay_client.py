"""Streams a chat completion through the relay and prints each event when it arrives.

Usage: relay_client.py urllib|requests URL RELEASE_URL < token
After the first event it asks the provider, which waits for that, to send the rest.
"""

import json
import sys
import urllib.error
import urllib.request

LIBRARY, URL, RELEASE_URL = sys.argv[1:]
HEADERS = {"Authorization": f"Bearer {sys.stdin.read()}", "Content-Type": "application/json"}
BODY = json.dumps({"model": "step", "stream": True, "messages": []}).encode()


def read_with_urllib():
    try:
        with urllib.request.urlopen(urllib.request.Request(URL, BODY, HEADERS)) as answer:
            yield from answer
    except urllib.error.HTTPError as error:
        yield f"{error.code} {error.read().decode()}".encode()


def read_with_requests():
    import requests

    with requests.post(URL, data=BODY, headers=HEADERS, stream=True, timeout=60) as answer:
        if answer.ok:
            yield from answer.iter_lines(chunk_size=1)
        else:
            yield f"{answer.status_code} {answer.text}".encode()


lines = {"urllib": read_with_urllib, "requests": read_with_requests}[LIBRARY]()
for number, line in enumerate(filter(bytes.strip, lines)):
    print(line.decode().strip(), flush=True)
    if number == 0:
        urllib.request.urlopen(urllib.request.Request(RELEASE_URL, b"")).close()
