-- What happened to users' keys. It begins with the day: the job deletes old days, and needs no index.
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
