-- Which keys are gone, until the job has copied that to the store of the binding DELETIONS.
CREATE TABLE gone_keys (
  gone_at  TEXT NOT NULL,
  user_id  TEXT NOT NULL,
  provider TEXT NOT NULL, -- the slot; '' for a user who was removed
  version  TEXT NOT NULL, -- the key's updated_at; '' for a user who was removed
  PRIMARY KEY (gone_at, user_id, provider, version)
) STRICT, WITHOUT ROWID;

-- The one row of that job. A restored database has an old one.
CREATE TABLE heartbeat (
  id     INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
  at     TEXT NOT NULL,   -- when the job last found nothing left to delete; '' before it has run
  copied INTEGER NOT NULL -- this database lacks no deletion up to this number of the store
) STRICT;

INSERT INTO heartbeat (id, at, copied) VALUES (1, '', 0);
