"""POST /chat streams a chat completion, paid by the user's own key, which this backend never sees."""

import os
from datetime import timedelta

import requests
from flask import Flask, Response, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required
from meaning import meaning_of

from accounts import accounts

VAULT_URL = os.environ.get("VAULT_URL", "http://localhost:8787")

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]  # the vault's
JWTManager(app)
app.register_blueprint(accounts)


@app.post("/chat")
@jwt_required()
def chat():
    # Without the vault, these three lines would decrypt the user's key, and have the provider's address.
    scope = {"scope": "relay"}
    token = create_access_token(get_jwt_identity(), additional_claims=scope, expires_delta=timedelta(minutes=5))
    url = f"{VAULT_URL}/relay/openai/v1/chat/completions"

    body = {"model": "gpt-5-mini", "stream": True, **request.get_json()}
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, stream=True, timeout=60)
    if not answer.ok:
        return explain_failure(answer)
    content_type = answer.headers.get("Content-Type", "application/octet-stream")
    return Response(answer.iter_content(None), answer.status_code, content_type=content_type)


def explain_failure(answer):
    """Says with a code what the user can do about it.

    The status is the vault's, or a 502 if the provider has answered: a frontend takes a 401 for the end of its own session,
    and one of the provider's is about the user's key.
    """
    refusal = answer.headers.get("X-Vault-Error")
    code, status = meaning_of(answer.status_code, refusal), answer.status_code
    if refusal is None:
        return {"error": answer.text, "code": code}, 502
    if status == 401:
        # Flask has checked the user's token. The vault refuses the one that this backend has signed.
        code, status = "vault_refused", 502
    return {"error": answer.json()["error"]["message"], "code": code}, status, {"X-Vault-Error": refusal}
