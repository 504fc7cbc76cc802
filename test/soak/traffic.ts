/** The requests of the soak test, each with the statuses that it may get. */

import { inSeconds, signToken } from '../../scripts/lib/token.ts'

/** The scope of the relay. */
export const SCOPE = 'relay'
/** How long a token is valid: longer than any run. */
const DAY_S = 86_400
const SLOTS = ['default', 'openai', 'anthropic']

/** A user whose requests one connection sends, one after the other. */
export interface User {
  path: string
  authorization: string
  /** The slots that have a key. */
  filled: Set<string>
}

/** A request. */
export interface Asked {
  method: string
  path: string
  statuses: readonly number[]
  body?: string
  headers?: Record<string, string>
  /** What the user's slots have after an answer with the status 200. */
  onOk?: () => void
}

/** The user with this name. `hasKey` says whether the slot `openai` has a key. */
export async function createUser(name: string, secret: string, hasKey = false): Promise<User> {
  const token = await signToken({ sub: name, scope: SCOPE, exp: inSeconds(DAY_S) }, secret)
  return {
    path: `/api/users/${name}`,
    authorization: `Bearer ${token}`,
    filled: new Set(hasKey ? ['openai'] : []),
  }
}

type Random = () => number

interface Kind {
  /** How often it is drawn, compared with the others. */
  weight: number
  ask: (user: User, random: Random) => Asked
}

const OK = [200]
const STREAMED = JSON.stringify({ model: 'soak', stream: true, messages: [] })

/** The mix, by the name of the kind. */
const KINDS: Record<string, Kind> = {
  GET: {
    weight: 20,
    ask: (user, random) => ({ method: 'GET', path: slotPath(user, anySlot(random)), statuses: OK }),
  },
  PUT: { weight: 14, ask: (user, random) => save(user, anySlot(random), random) },
  'PUT, checked': {
    weight: 4,
    ask: (user, random) => {
      const asked = save(user, 'openai', random)
      return { ...asked, path: `${asked.path}?verify=true` }
    },
  },
  'PUT, expiring': {
    weight: 3,
    ask: (user, random) => {
      const expires_at = new Date(Date.now() + 5_000).toISOString()
      const body = JSON.stringify({ api_key: newKey(random), expires_at })
      return { method: 'PUT', path: slotPath(user, 'groq'), statuses: OK, body }
    },
  },
  DELETE: {
    weight: 6,
    ask: (user, random) => {
      const slot = anySlot(random)
      const onOk = () => void user.filled.delete(slot)
      return { method: 'DELETE', path: slotPath(user, slot), statuses: OK, onOk }
    },
  },
  PATCH: {
    weight: 6,
    ask: (user, random) => {
      const body = JSON.stringify({
        paused: false,
        max_uses: random() < 0.5 ? null : { count: 1_000_000, per: 'day' },
      })
      return { method: 'PATCH', path: `${user.path}/api-keys/openai`, statuses: ifKey(user), body }
    },
  },
  list: {
    weight: 10,
    ask: ({ path }) => ({ method: 'GET', path: `${path}/api-keys`, statuses: OK }),
  },
  verify: {
    weight: 4,
    ask: ({ path }) => ({ method: 'POST', path: `${path}/api-keys/openai/verify`, statuses: OK }),
  },
  events: {
    weight: 5,
    ask: ({ path }) => ({ method: 'GET', path: `${path}/api-key-events`, statuses: OK }),
  },
  'relay, whole': {
    weight: 40,
    ask: (user) => ({ method: 'GET', path: '/relay/openai/v1/models', statuses: ifKey(user) }),
  },
  'relay, streamed': {
    weight: 6,
    ask: (user) => ({
      method: 'POST',
      path: '/relay/openai/v1/chat/completions',
      statuses: ifKey(user),
      body: STREAMED,
    }),
  },
  'refused token': {
    weight: 4,
    ask: ({ path, authorization }) => ({
      method: 'GET',
      path: `${path}/api-key`,
      statuses: [401],
      headers: { Authorization: authorization.replace(/\.[^.]*$/, `.${'A'.repeat(43)}`) },
    }),
  },
  'malformed body': {
    weight: 4,
    ask: (user) => ({
      method: 'PUT',
      path: slotPath(user, 'default'),
      statuses: [400],
      body: '{"api_key": ',
    }),
  },
  'unknown slot': {
    weight: 3,
    ask: (user) => ({ method: 'GET', path: slotPath(user, 'nowhere'), statuses: [404] }),
  },
  health: { weight: 2, ask: () => ({ method: 'GET', path: '/api/health', statuses: OK }) },
  OPTIONS: {
    weight: 3,
    ask: (user) => ({
      method: 'OPTIONS',
      path: slotPath(user, 'default'),
      statuses: [204],
      headers: { Origin: 'http://localhost', 'Access-Control-Request-Method': 'PUT' },
    }),
  },
}

const TOTAL = Object.values(KINDS).reduce((sum, { weight }) => sum + weight, 0)

/** The names of all kinds. */
export const NAMES: readonly string[] = Object.keys(KINDS)

/** Draws the next request of a user. */
export function draw(user: User, random: Random): Asked & { kind: string } {
  let left = random() * TOTAL
  for (const [kind, { weight, ask }] of Object.entries(KINDS)) {
    left -= weight
    if (left < 0) return { kind, ...ask(user, random) }
  }
  throw new Error('The weights have another sum')
}

function save(user: User, slot: string, random: Random): Asked {
  return {
    method: 'PUT',
    path: slotPath(user, slot),
    statuses: OK,
    body: JSON.stringify({ api_key: newKey(random) }),
    onOk: () => void user.filled.add(slot),
  }
}

function ifKey({ filled }: User): readonly number[] {
  return filled.has('openai') ? OK : [404]
}

function anySlot(random: Random): string {
  return SLOTS[Math.floor(random() * SLOTS.length)] ?? 'default'
}

function newKey(random: Random): string {
  return `sk-soak-${Math.floor(random() * 2 ** 32)}`
}

function slotPath({ path }: User, slot: string): string {
  return slot === 'default' ? `${path}/api-key` : `${path}/api-keys/${slot}`
}
