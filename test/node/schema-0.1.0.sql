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

-- Every kid that rows are or were sealed under, so that nobody has to scan them for it. A row is
-- never written without its kid being noted here in the same transaction.
CREATE TABLE IF NOT EXISTS key_ids (
  key_id TEXT NOT NULL PRIMARY KEY,
  -- in_use:  a row may have been written under it since the rewrap job's pass began
  -- settled: none has been, since that pass began
  -- unused:  and the pass has found none that it left there
  state  TEXT NOT NULL DEFAULT 'in_use' CHECK (state IN ('in_use', 'settled', 'unused'))
) STRICT, WITHOUT ROWID;

-- The one row of the rewrap job: its pass over api_keys in the order of their primary key.
CREATE TABLE IF NOT EXISTS rewrap (
  id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  keyring        TEXT NOT NULL, -- the Worker's, by its kids: <sealing>,<opening>,fernet:<kid>
  revision       INTEGER NOT NULL, -- one more with each change of this row
  after_user_id  TEXT NOT NULL DEFAULT '', -- where the pass is: the rows up to this one are done
  after_provider TEXT NOT NULL DEFAULT '',
  counts         TEXT NOT NULL, -- {"<kid>": {"rows", "done", "unopenable"}}; rows: at its beginning
  started_at     TEXT NOT NULL,
  moved_at       TEXT NOT NULL,
  finished_at    TEXT,
  asked_at       TEXT -- another pass was asked for: npm run keys -- check
) STRICT;

-- Up to when an import leaves a user's key alone: when the key that it brought in was saved ('' for
-- none), or when the key was deleted here, so that an import brings nothing back that was deleted.
-- Empty it when the move is over.
CREATE TABLE IF NOT EXISTS imported_users (
  id       TEXT NOT NULL PRIMARY KEY,
  saved_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The kids of rows that were restored or written by hand.
INSERT INTO key_ids (key_id)
SELECT DISTINCT key_id FROM api_keys WHERE TRUE
ON CONFLICT (key_id) DO UPDATE SET state = 'in_use' WHERE state <> 'in_use';
