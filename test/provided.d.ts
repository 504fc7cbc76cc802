import type { D1Migration } from '@cloudflare/vitest-pool-workers'
import 'vitest'

/** A request that the provider on localhost got; see node/provider-server.ts. */
export interface SeenRequest {
  method: string
  url: string
  headers: Record<string, string | string[] | undefined>
  body: string
}

declare module 'vitest' {
  interface ProvidedContext {
    /** `migrations/`, which the tests in workerd apply. */
    migrations: D1Migration[]
    /** `POST` starts a key server and returns its origin; see node/key-server.ts. */
    keyServers: string
    /** A provider's origin; see node/provider-server.ts. */
    provider: string
    /** How many random cases a test tries, and from which seed. */
    fuzz: { cases: number; seed: number }
    /** The path of a Chrome or Chromium; see browser/global-setup.ts. */
    browser: string
  }
}
