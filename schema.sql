-- The current schema, for readers: npm run schema -- write makes this file from migrations/.
-- npm run schema creates the tables in a database.

CREATE TABLE users (
  id         TEXT NOT NULL PRIMARY KEY,
  created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
) STRICT, WITHOUT ROWID;

CREATE TABLE api_keys (
  user_id           TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  provider          TEXT NOT NULL DEFAULT 'default',
  encrypted_api_key TEXT NOT NULL, -- v1.<kid>.<base64url>, see SECURITY.md
  key_id            TEXT NOT NULL, -- the kid that sealed it
  status            TEXT NOT NULL DEFAULT 'unverified'
                    CHECK (status IN ('active', 'unverified', 'rejected')),
  created_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  last_used_at      TEXT, last_verified_at TEXT, expires_at TEXT, paused_at TEXT, callers TEXT, max_uses INTEGER, max_uses_per TEXT, uses INTEGER NOT NULL DEFAULT 0, uses_in TEXT, fingerprint TEXT,
  PRIMARY KEY (user_id, provider)
) STRICT, WITHOUT ROWID;

CREATE TABLE key_ids (
  -- Every kid that rows are or were sealed under, so that nobody has to scan the rows for it. The
  -- transaction that writes a row notes its kid here.
  key_id TEXT NOT NULL PRIMARY KEY,
  -- in_use:  a row may have been written under it since the rewrap job's pass began
  -- settled: no row has been written under it since that pass began
  -- unused:  settled, and the pass left no row under it
  state  TEXT NOT NULL DEFAULT 'in_use' CHECK (state IN ('in_use', 'settled', 'unused'))
) STRICT, WITHOUT ROWID;

CREATE TABLE rewrap (
  -- The one row of the rewrap job: its pass over api_keys in the order of their primary key.
  id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  keyring        TEXT NOT NULL, -- the Worker's, by its kids: <sealing>,<opening>,fernet:<kid>
  revision       INTEGER NOT NULL, -- one more with each change of this row
  after_user_id  TEXT NOT NULL DEFAULT '', -- the pass has done the rows up to this one
  after_provider TEXT NOT NULL DEFAULT '',
  counts         TEXT NOT NULL, -- {"<kid>": {"rows", "done", "unopenable"}}; rows: when it began
  started_at     TEXT NOT NULL,
  moved_at       TEXT NOT NULL,
  finished_at    TEXT,
  asked_at       TEXT -- another pass was asked for: npm run keys -- check
, assign_to TEXT) STRICT;

CREATE TABLE imported_users (
  -- Up to when an import leaves a user's key alone: when the imported key was saved ('' without one),
  -- or when the key was deleted here; for a user who was removed here, for ever. Empty the table when
  -- everybody has moved in.
  id       TEXT NOT NULL PRIMARY KEY,
  saved_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE imported_keys (
  -- Up to when an import leaves the key in a slot alone: when the imported key was saved ('' without
  -- one), or when it was deleted here. With provider '', a user who was removed here, for ever.
  -- Empty the table when everybody has moved in.
  user_id  TEXT NOT NULL,
  provider TEXT NOT NULL,
  saved_at TEXT NOT NULL,
  PRIMARY KEY (user_id, provider)
) STRICT, WITHOUT ROWID;

CREATE INDEX api_keys_expires_at ON api_keys (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE api_key_events (
  day             TEXT NOT NULL, -- 2026-11-25, in UTC
  user_id         TEXT NOT NULL, -- without a foreign key, which would need an index by user
  id              TEXT NOT NULL, -- begins with its time; of a sum, with the end of its hour
  provider        TEXT NOT NULL, -- the slot
  event           TEXT NOT NULL,
  actor           TEXT NOT NULL, -- owner, caller, job, import
  caller          TEXT,          -- the caller's name
  code            TEXT,          -- why a use was refused
  verdict         TEXT,
  provider_status INTEGER,
  request_id      TEXT,
  count           INTEGER NOT NULL DEFAULT 1, -- of a sum: how often in its hour
  errors          INTEGER NOT NULL DEFAULT 0, -- those that the provider answered with an error
  first_at        TEXT,
  last_at         TEXT,
  PRIMARY KEY (day, user_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE gone_keys (
  gone_at  TEXT NOT NULL,
  user_id  TEXT NOT NULL,
  provider TEXT NOT NULL, -- the slot; '' for a user who was removed
  version  TEXT NOT NULL, -- the key's updated_at; '' for a user who was removed
  PRIMARY KEY (gone_at, user_id, provider, version)
) STRICT, WITHOUT ROWID;

CREATE TABLE heartbeat (
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at     TEXT NOT NULL,   -- when the job last found nothing left to delete; '' before it has run
  copied INTEGER NOT NULL -- this database lacks no deletion up to this number of the store
) STRICT;

CREATE TABLE known_keys (
  -- Keys that a user deleted or replaced, and keys that a provider rejected.
  user_id     TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE,
  fingerprint TEXT NOT NULL,
  state       TEXT NOT NULL, -- deleted, rejected
  PRIMARY KEY (user_id, fingerprint)
) STRICT, WITHOUT ROWID;
