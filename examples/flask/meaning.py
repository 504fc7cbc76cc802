"""What an error of an SDK means to the user whose key it used through the relay."""

# The codes of the vault that a user can do something about.
MEANINGS = {
    "token_missing": "sign_in_again",
    "token_invalid": "sign_in_again",
    "token_expired": "sign_in_again",
    "no_api_key": "no_key",
    "user_not_found": "no_key",
    "api_key_expired": "no_key",
    "api_key_paused": "paused",
    "limit_reached": "limit_reached",
}


def meaning_of(status, code):
    """`code` is the X-Vault-Error of an answer, which only the vault sets. None: the provider has answered."""
    if code is not None:
        return MEANINGS.get(code, "vault_refused")
    return "key_refused" if status == 401 else "provider_error"


def explain(error):
    """For an APIStatusError of openai or anthropic."""
    return meaning_of(error.status_code, error.response.headers.get("X-Vault-Error"))


def explain_google(error):
    """For an APIError of google.genai.errors. Google answers a wrong key with a 400."""
    status = 401 if "API_KEY_INVALID" in str(error.details) else error.code
    return meaning_of(status, error.response.headers.get("X-Vault-Error"))
