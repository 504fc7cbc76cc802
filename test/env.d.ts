declare namespace Cloudflare {
  interface Env {
    /** Two calls a minute. */
    TIGHT_RATE_LIMITER: RateLimit
  }
}

declare module '*?raw' {
  const text: string
  export default text
}
