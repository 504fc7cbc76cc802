-- The whole schema. Safe to run again at any time: npm run schema -- --local | --remote
-- WITHOUT ROWID and no secondary index: a PUT writes one row.

CREATE TABLE IF NOT EXISTS users (
  id         TEXT NOT NULL PRIMARY KEY,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS api_keys (
  user_id           TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  provider          TEXT NOT NULL DEFAULT 'default',
  encrypted_api_key TEXT NOT NULL, -- v1.<kid>.<base64url>, see SECURITY.md
  key_id            TEXT NOT NULL, -- the kid that sealed it
  status            TEXT NOT NULL DEFAULT 'unverified'
                    CHECK (status IN ('active', 'unverified', 'rejected')),
  created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  last_used_at      TEXT,
  PRIMARY KEY (user_id, provider)
) STRICT, WITHOUT ROWID;
