-- What the owner of a key allows, and the uses so far, which are only counted if they are limited.
ALTER TABLE api_keys ADD COLUMN paused_at TEXT;
-- JSON: the names of those that may use it; NULL for all.
ALTER TABLE api_keys ADD COLUMN callers TEXT;
ALTER TABLE api_keys ADD COLUMN max_uses INTEGER;
-- day, month
ALTER TABLE api_keys ADD COLUMN max_uses_per TEXT;
ALTER TABLE api_keys ADD COLUMN uses INTEGER NOT NULL DEFAULT 0;
-- The day or the month of these uses: 2026-11-25, 2026-11.
ALTER TABLE api_keys ADD COLUMN uses_in TEXT;
