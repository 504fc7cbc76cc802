-- When the user last had the stored key checked with its provider. Until now such a check was
-- recorded as a use.
ALTER TABLE api_keys ADD COLUMN last_verified_at TEXT;
