/** The kinds of changes after which a key is not used any more, or not by everybody. */

import type { Call } from './call.ts'

export const OLD_KEY = 'sk-old-0123456789'
export const SLOT = 'openai'

/** A kind of change. Its user and its team have the name of the kind. */
export interface Kind {
  /** The slot that the use names. */
  slot?: string
  /** Whether the key is the team's, or the user's own. */
  isTeams?: boolean
  /** Whether the use names the team. */
  hasTeam?: boolean
  /** Whether the use goes over the relay, with the user's token. Otherwise it goes over the binding. */
  isRelayed?: boolean
  /** After how long the saved key expires. */
  expiresInMs?: number
  /** Null if only time passes. */
  change: ((paths: { key: string; team: string }) => Change) | null
}

export interface Change extends Omit<Call, 'token'> {
  path: string
  /** When it takes effect, if it does not at once: in milliseconds since the epoch. */
  at?: number
}

export const KINDS: Readonly<Record<string, Kind>> = {
  deleted: { change: ({ key }) => ({ method: 'DELETE', path: key }) },
  replaced: {
    change: ({ key }) => ({ method: 'PUT', path: key, body: { api_key: 'sk-new-0123456789' } }),
  },
  paused: { change: ({ key }) => ({ method: 'PATCH', path: key, body: { paused: true } }) },
  moved: {
    slot: 'openai:work',
    change: ({ key }) => ({ method: 'PATCH', path: key, body: { label: 'home' } }),
  },
  expired: { expiresInMs: 8_000, change: null },
  'given-an-expiry': {
    change: ({ key }) => {
      const at = Date.now() + 1_000
      const body = { expires_at: new Date(at).toISOString() }
      return { method: 'PATCH', path: key, body, at }
    },
  },
  'caller-removed': {
    change: ({ key }) => ({ method: 'PATCH', path: key, body: { callers: ['binding:other'] } }),
  },
  'tokens-since': {
    isTeams: true,
    isRelayed: true,
    change: ({ team }) => ({
      method: 'PATCH',
      path: team,
      body: { tokens_since: new Date().toISOString() },
    }),
  },
  'own-keys-off': {
    hasTeam: true,
    change: ({ team }) => ({ method: 'PATCH', path: team, body: { own_keys: false } }),
  },
  'team-key-deleted': {
    isTeams: true,
    hasTeam: true,
    change: ({ key }) => ({ method: 'DELETE', path: key }),
  },
}
