-- Tells whether a user saves the same key twice: an HMAC of user and key, under a key of its own. NULL
-- until this version saves or rewraps the key.
ALTER TABLE api_keys ADD COLUMN fingerprint TEXT;

CREATE TABLE known_keys (
  -- Keys that a user deleted or replaced, and keys that a provider rejected.
  user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  state       TEXT NOT NULL, -- deleted, rejected
  PRIMARY KEY (user_id, fingerprint)
) STRICT, WITHOUT ROWID;
