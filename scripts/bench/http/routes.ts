/** The measured routes, and the Workers to compare on each of them. */

import type { Load } from './load.ts'
import { API_KEY, type BenchUser } from './seed.ts'

/** Makes the load for a Worker. */
export interface Route {
  load: (users: readonly BenchUser[]) => Omit<Load, 'url'>
  /** The vault is last. */
  workers: readonly string[]
}

const PLAIN = '/api/users/{user}/api-key'
const BODY = { body: JSON.stringify({ api_key: API_KEY }), contentType: 'application/json' }
const PEERS = ['hello', 'same', 'least', 'hand']

export const ROUTES: Readonly<Record<string, Route>> = {
  GET: {
    load: (users) => ({ method: 'GET', path: PLAIN, users }),
    workers: [...PEERS, 'flask', 'vault'],
  },
  list: {
    load: (users) => ({ method: 'GET', path: `${PLAIN}s`, users }),
    workers: [...PEERS, 'vault'],
  },
  use: {
    load: (users) => ({ method: 'GET', path: '/use/{user}', users }),
    workers: ['direct', 'entrypoint', 'caller'],
  },
  'hot-use': {
    load: (users) => ({ method: 'GET', path: '/use/{user}', users: few(users) }),
    workers: ['direct', 'entrypoint', 'hot-caller'],
  },
  relay: {
    load: (users) => ({ method: 'GET', path: '/relay/openai/v1/models', users }),
    workers: ['hello', 'direct', 'vault'],
  },
  'hot-relay': {
    load: (users) => ({ method: 'GET', path: '/relay/openai/v1/models', users: few(users) }),
    workers: ['hello', 'direct', 'hot'],
  },
  401: {
    load: (users) => ({
      method: 'GET',
      path: PLAIN,
      users: users.map(({ id, authorization }) => ({ id, authorization: forge(authorization) })),
    }),
    workers: ['hello', 'hand', 'vault'],
  },
  403: {
    load: (users) => ({ method: 'GET', path: '/api/users/another/api-key', users }),
    workers: ['hello', 'hand', 'vault'],
  },
  400: {
    load: (users) => ({ method: 'PUT', path: PLAIN, users, ...BODY, body: '{"api_key": ""}' }),
    workers: ['hello', 'vault'],
  },
  // The peers leave keys that the vault cannot open.
  PUT: {
    load: (users) => ({ method: 'PUT', path: PLAIN, users, ...BODY }),
    workers: [...PEERS, 'flask', 'vault'],
  },
  DELETE: {
    load: (users) => ({ method: 'DELETE', path: PLAIN, users }),
    workers: [...PEERS, 'flask', 'vault'],
  },
}

/** So few that each of their keys stays at hand, and is seldom read anew. */
function few(users: readonly BenchUser[]): readonly BenchUser[] {
  return users.slice(0, 50)
}

/** The same token with another signature. */
function forge(authorization: string): string {
  return authorization.replace(/\.[^.]*$/, `.${'A'.repeat(43)}`)
}
