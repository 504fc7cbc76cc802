-- npm run keys -- assign: the slot that the rewrap job moves the plain route's keys to.
ALTER TABLE rewrap ADD COLUMN assign_to TEXT;

CREATE TABLE imported_keys (
  -- Up to when an import leaves the key in a slot alone: when the imported key was saved ('' without
  -- one), or when it was deleted here. With provider '', a user who was removed here, for ever.
  -- Empty the table when everybody has moved in.
  user_id  TEXT NOT NULL,
  provider TEXT NOT NULL,
  saved_at TEXT NOT NULL,
  PRIMARY KEY (user_id, provider)
) STRICT, WITHOUT ROWID;

-- It takes the place of imported_users, which the version before still writes until it is replaced.
INSERT INTO imported_keys (user_id, provider, saved_at)
SELECT id, CASE WHEN saved_at > '9999' THEN '' ELSE 'default' END, saved_at FROM imported_users;
