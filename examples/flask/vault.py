"""Manages this backend's users in the vault, with tokens that the backend signs itself."""

import os
from datetime import timedelta
from urllib.parse import quote

import requests
from flask_jwt_extended import create_access_token

VAULT_URL = os.environ.get("VAULT_URL", "http://localhost:8787")
CLIENT = "flask-app"  # MANAGE_CLIENTS of the vault lists it
SCOPE = "vault"  # its MANAGE_SCOPE


class Refused(Exception):
    """The vault did not do it. `code` says why; it is None if something before the vault answered."""

    def __init__(self, answer):
        self.status = answer.status_code
        self.code = answer.headers.get("X-Vault-Error")
        self.retry_after = answer.headers.get("Retry-After")
        super().__init__(f"The vault answered {self.status} {self.code}")


def add_user(user_id):
    return _ask("users", "PUT", user_id).json()["created"]


def remove_user(user_id):
    return _ask("users", "DELETE", user_id).json()["deleted"]


def list_slots(user_id):
    return _ask("support", "GET", user_id, "/api-keys").json()["api_keys"]


def pause_key(user_id, slot):
    return _ask("support", "PATCH", user_id, f"/api-keys/{quote(slot, safe='')}", json={"paused": True}).json()


def export_user(user_id, cursor=None):
    return _ask("export", "GET", user_id, "/export", params={"cursor": cursor}, stream=True).iter_content(None)


def _ask(grant, method, user_id, path="", **options):
    # Each token has one scope. Its subject is the server, and must never be the id of a user.
    claims = {"client_id": CLIENT, "scope": f"{SCOPE}:{grant}"}
    token = create_access_token(CLIENT, additional_claims=claims, expires_delta=timedelta(minutes=5))
    url = f"{VAULT_URL}/api/users/{quote(user_id, safe='')}{path}"
    answer = requests.request(method, url, headers={"Authorization": f"Bearer {token}"}, timeout=30, **options)
    if not answer.ok:
        raise Refused(answer)
    return answer
