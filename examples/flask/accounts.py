"""The accounts of the backend: each has a user in the vault, who goes with the account."""

import os
from uuid import uuid4

import requests
from flask import Blueprint, Response, current_app, request
from flask_jwt_extended import create_access_token, get_jwt_identity, jwt_required

import vault

STAFF = os.environ.get("STAFF", "").split(",")  # the ids of who may help users

accounts = Blueprint("accounts", __name__)


@accounts.post("/accounts")
def sign_up():
    user_id = str(uuid4())
    # Save the account first, and repeat this until it succeeds: adding a user twice does no harm.
    vault.add_user(user_id)
    return {"id": user_id, "access_token": create_access_token(user_id)}, 201


@accounts.delete("/account")
@jwt_required()
def delete_account():
    # Delete the account last, so that the user can repeat this if the vault cannot be reached.
    vault.remove_user(get_jwt_identity())
    return "", 204


@accounts.get("/account/export")
@jwt_required()
def export_account():
    # What the vault has. After 10,000 events, the last line has a cursor for the next part.
    lines = vault.export_user(get_jwt_identity(), request.args.get("cursor"))
    return Response(lines, content_type="application/x-ndjson")


@accounts.get("/support/users/<user_id>/keys")
@jwt_required()
def show_keys(user_id):
    return _not_staff() or {"keys": [slot for slot in vault.list_slots(user_id) if "etag" in slot]}


@accounts.post("/support/users/<user_id>/keys/<slot>/pause")
@jwt_required()
def pause(user_id, slot):
    return _not_staff() or vault.pause_key(user_id, slot)


def _not_staff():
    return None if get_jwt_identity() in STAFF else ({"error": "Only for support", "code": "not_staff"}, 403)


# What a client of this backend can act on. Anything else is wrong here or in the vault: a 401 of the vault is about this
# backend's token, and would sign the user out.
PASSED_ON = {"user_not_found", "no_api_key", "unknown_provider", "invalid_query", "rate_limited"}


@accounts.errorhandler(vault.Refused)
def pass_on(refused):
    if refused.code not in PASSED_ON:
        return unreachable(refused)
    headers = {} if refused.retry_after is None else {"Retry-After": refused.retry_after}
    return {"error": "The vault refused", "code": refused.code}, refused.status, headers


@accounts.errorhandler(requests.RequestException)
def unreachable(error):
    current_app.logger.error("The vault did not do it: %s", error)
    return {"error": "The vault is not available", "code": "vault_failed"}, 502
