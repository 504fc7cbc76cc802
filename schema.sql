-- The current schema, for readers: npm run schema -- write makes this file from migrations/.
-- npm run schema creates the tables in a database.

CREATE TABLE users (
  -- The owners of keys: users, and teams of users. An application may add users itself: INSERT INTO users (id) VALUES ('…').
  id           TEXT NOT NULL PRIMARY KEY,                          -- the user id, which is the subject of the tokens; team:ID of a team
  identity     TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))), -- random; an owner who is added again has another one
  created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), -- when the owner was added
  own_keys     INTEGER NOT NULL DEFAULT 1,                         -- of a team. 0: its members may not use keys of their own
  tokens_since TEXT                                                -- of a team: tokens that are older do not count; NULL for none
) WITHOUT ROWID;

CREATE UNIQUE INDEX users_identity ON users (identity);

CREATE TABLE api_keys (
  -- One row per slot that holds a key.
  user_id           TEXT NOT NULL REFERENCES users (id) ON DELETE CASCADE, -- the owner
  provider          TEXT NOT NULL DEFAULT 'default',    -- the slot: default, openai, openai:work
  folded            TEXT,                               -- the slot in one case; NULL without a label
  position          INTEGER NOT NULL DEFAULT 0,         -- the order of the keys of one provider
  identity          TEXT NOT NULL DEFAULT (lower(hex(randomblob(16)))), -- random; each saved or imported key has another one
  revision          INTEGER NOT NULL DEFAULT 1,         -- one more with each change that the owner makes
  encrypted_api_key TEXT NOT NULL,                      -- v1.<kid>.<base64url>, see docs/sealed-key.md; a Fernet token of an imported key
  key_id            TEXT NOT NULL,                      -- the kid that sealed it; fernet of an imported key
  fingerprint       TEXT,                               -- tells equal keys of one user; NULL for a short or imported key
  status            TEXT NOT NULL DEFAULT 'unverified', -- active, unverified, rejected
  exhausted_at      TEXT,                               -- since when its account has no credit; NULL if it has, or if nobody knows
  updated_at        TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')), -- when the key was saved
  saved_by          TEXT,                               -- operator, or NULL for the owner and an import
  last_used_at      TEXT,                               -- recorded once a day, and once an hour while exhausted_at is set
  last_verified_at  TEXT,                               -- when its provider last accepted or rejected it in a check by its owner or the job
  expires_at        TEXT,                               -- NULL for never
  expiry_noted      INTEGER NOT NULL DEFAULT 0,         -- 1: the trail says that the key has expired
  paused_at         TEXT,                               -- NULL if the key is not paused
  callers           TEXT,                               -- a JSON array of the only callers that may use it; NULL for all
  max_uses          INTEGER,                            -- the maximum in a period; NULL for no limit
  max_uses_per      TEXT,                               -- day, month
  uses              INTEGER NOT NULL DEFAULT 0,         -- in uses_in; counted only if there is a maximum
  uses_in           TEXT,                               -- the day or month of uses: 2026-11-25, 2026-11
  max_uses_per_member     INTEGER,                      -- of a team's key: the maximum of each member in a period; NULL for no limit
  max_uses_per_member_per TEXT,                         -- day, month
  PRIMARY KEY (user_id, provider)
) WITHOUT ROWID;

CREATE UNIQUE INDEX api_keys_folded ON api_keys (user_id, folded) WHERE folded IS NOT NULL;

CREATE INDEX api_keys_key_id ON api_keys (key_id, identity);

CREATE INDEX api_keys_expires_at ON api_keys (expiry_noted, expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE member_uses (
  -- How often each member has used a team's key that has a maximum per member.
  user_id  TEXT NOT NULL,    -- the team
  provider TEXT NOT NULL,    -- the slot
  member   TEXT NOT NULL,    -- the identity of the member
  uses_in  TEXT NOT NULL,    -- the day or month of uses
  uses     INTEGER NOT NULL,
  mark     TEXT NOT NULL,    -- of the use that was counted last
  PRIMARY KEY (user_id, provider, member),
  FOREIGN KEY (user_id, provider) REFERENCES api_keys (user_id, provider) ON DELETE CASCADE ON UPDATE CASCADE
) WITHOUT ROWID;

CREATE TABLE api_key_events (
  -- What happened to users' keys. The key begins with the day, so that the job finds old days without an index.
  day             TEXT NOT NULL,              -- 2026-11-25
  user_id         TEXT NOT NULL,              -- the owner; without a foreign key, which would need an index by user
  id              TEXT NOT NULL,              -- begins with its time; of sums, what they count: a JSON array
  provider        TEXT NOT NULL,              -- the slot
  event           TEXT NOT NULL,              -- saved, replaced, deleted, …
  actor           TEXT NOT NULL,              -- owner, caller, operator, job, import
  caller          TEXT,                       -- the caller's kind and name
  member          TEXT,                       -- of a team: the identity of the member who did it; NULL if nobody knows
  code            TEXT,                       -- why a use was refused
  verdict         TEXT,                       -- of a check: accepted, refused, unknown
  reason          TEXT,                       -- why the provider rejected the key: revoked, leaked, suspended, unknown
  provider_status INTEGER,                    -- the status with which the provider rejected the key
  request_id      TEXT,                       -- of the request in the log
  hours           TEXT,                       -- of sums, by the hour: {"07": [count, errors, first, last]}, as in [41, 0, "02:11.120", "40:07.004"]
  PRIMARY KEY (day, user_id, id)
) WITHOUT ROWID;

CREATE TABLE imported_keys (
  -- Up to when an import leaves the key in a slot alone. `npm run import -- --finish` empties it.
  user_id      TEXT NOT NULL,
  provider     TEXT NOT NULL, -- the slot
  saved_at     TEXT NOT NULL, -- when the imported key was saved, or a key was deleted here; '' without either
  key_identity TEXT,          -- of the key that the import saved; NULL if it saved none
  PRIMARY KEY (user_id, provider)
) WITHOUT ROWID;

CREATE TABLE removed_users (
  -- Users who were removed here, and whom no import adds again. `npm run import -- --finish` empties it.
  hmac TEXT NOT NULL PRIMARY KEY -- HMAC-SHA256 of the user id under import_secret, in base64url
) WITHOUT ROWID;

CREATE TABLE import_secret (
  -- The one row with the key of these HMACs. It hides the ids in a list of HMACs, not from somebody who has the database.
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  secret TEXT NOT NULL -- 32 random bytes, in hex
) STRICT;

CREATE TABLE gone_keys (
  -- The tombstones of keys and users, until the job has copied them to the store of the binding DELETIONS.
  cause    TEXT NOT NULL DEFAULT '', -- request, expiry, operator, restore; '' is held if there are many
  identity TEXT NOT NULL,            -- of the key or the user
  PRIMARY KEY (cause, identity)
) WITHOUT ROWID;

CREATE TABLE heartbeat (
  -- The one row of the job that copies tombstones. A restored database has an old one.
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at     TEXT NOT NULL,   -- when the job last found nothing left to delete; '' before it has run
  copied INTEGER NOT NULL -- this database lacks no deletion up to this number of the store
) STRICT;

CREATE TABLE rewrap (
  -- The one row of the rewrap job: its pass over api_keys, owner by owner.
  id               INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  keyring          TEXT NOT NULL,            -- the Worker's, by its kids: <sealing>,<opening>,fernet:<kid>
  default_provider TEXT,                     -- the Worker's DEFAULT_PROVIDER; another one begins a new pass
  revision         INTEGER NOT NULL,         -- one more with each change of this row
  after_user_id    TEXT NOT NULL DEFAULT '', -- the pass has done the rows up to this one
  after_identity   TEXT NOT NULL DEFAULT '', -- of its last row, which it keeps if it is renamed
  counts           TEXT NOT NULL,            -- {"<kid>": {"rows", "done", "unopenable"}}; rows: when it began
  started_at       TEXT NOT NULL,
  moved_at         TEXT NOT NULL,
  finished_at      TEXT,
  asked_at         TEXT                      -- when another pass was asked for: npm run keys -- check
) STRICT;

CREATE TABLE recheck (
  -- The one row of the recheck job: its lap over api_keys in the order of their identities.
  id             INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  after_identity TEXT NOT NULL, -- the lap has claimed the keys up to this one; '' at its beginning
  ended_at       TEXT           -- NULL while a lap is under way
) STRICT;
