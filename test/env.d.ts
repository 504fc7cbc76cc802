interface Env {
  /** Set in the tests, whatever `[secrets] required` in wrangler.toml says. */
  JWT_SECRET_KEY: string
  LEGACY_FERNET_KEY?: string
  PROVIDERS?: unknown
  EVENTS_QUEUE?: unknown
  ANALYTICS?: unknown
}

declare namespace Cloudflare {
  interface Env {
    JWT_SECRET_KEY: string
    /** Allows two calls per minute. */
    TIGHT_RATE_LIMITER: RateLimit
    /** A database without tables. */
    EMPTY_DB: D1Database
  }
}

/** A page as text, in the project `worker`. */
declare module '*.md?raw' {
  const text: string
  export default text
}
