interface Env {
  /** There in the tests, whatever `[secrets] required` of wrangler.toml says. */
  JWT_SECRET_KEY: string
  LEGACY_FERNET_KEY?: string
  PROVIDERS?: unknown
}

declare namespace Cloudflare {
  interface Env {
    JWT_SECRET_KEY: string
    /** Two calls a minute. */
    TIGHT_RATE_LIMITER: RateLimit
    /** A database without tables. */
    EMPTY_DB: D1Database
  }
}
