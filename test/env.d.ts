declare namespace Cloudflare {
  interface Env {
    /** Two calls a minute. */
    TIGHT_RATE_LIMITER: RateLimit
    /** A database without tables. */
    EMPTY_DB: D1Database
  }
}

declare module '*?raw' {
  const text: string
  export default text
}
