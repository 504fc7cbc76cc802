import 'vitest'

declare module 'vitest' {
  interface ProvidedContext {
    /** `POST` starts a key server and answers its origin; see node/key-server.ts. */
    keyServers: string
  }
}
