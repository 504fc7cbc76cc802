-- When a key expires; NULL for never. Its user chose that time.
ALTER TABLE api_keys ADD COLUMN expires_at TEXT;

-- The job finds expired keys by it. A key that never expires has no entry, so its PUT still writes one row.
CREATE INDEX api_keys_expires_at ON api_keys (expires_at) WHERE expires_at IS NOT NULL;
