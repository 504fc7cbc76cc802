"""POST /chat streams a chat completion, paid by the user's own key, which this backend never sees."""

import os
from datetime import timedelta

import requests
from flask import Flask, Response, request
from flask_jwt_extended import JWTManager, create_access_token, get_jwt_identity, jwt_required

VAULT_URL = os.environ.get("VAULT_URL", "http://localhost:8787")

app = Flask(__name__)
app.config["JWT_SECRET_KEY"] = os.environ["JWT_SECRET_KEY"]  # the vault's
JWTManager(app)


@app.post("/chat")
@jwt_required()
def chat():
    # Before, these three lines read and decrypted the user's key, and had the provider's address.
    scope = {"scope": "relay"}
    token = create_access_token(get_jwt_identity(), additional_claims=scope, expires_delta=timedelta(minutes=5))
    url = f"{VAULT_URL}/relay/openai/v1/chat/completions"

    body = {"model": "gpt-5-mini", "stream": True, **request.get_json()}
    answer = requests.post(url, json=body, headers={"Authorization": f"Bearer {token}"}, stream=True, timeout=60)
    refusal = answer.headers.get("X-Vault-Error")
    # A frontend takes a 401 for the end of its own session. One of the provider's is about the user's key.
    if refusal is None and answer.status_code in (401, 403):
        return {"error": "The provider refused the API key", "code": "provider_refused"}, 502
    content_type = answer.headers.get("Content-Type", "application/octet-stream")
    headers = {} if refusal is None else {"X-Vault-Error": refusal}
    return Response(answer.iter_content(None), answer.status_code, headers, content_type=content_type)
