/** Which key a use takes: the rules of docs/named-keys.md and docs/teams.md once more, without SQL. */

import { inSeconds } from '../../scripts/lib/token.ts'
import type { ErrorCode } from '../../src/shared/error-code.ts'
import type { KeySource } from '../../src/shared/slot.ts'

/** What is true of a key before the use: the refusal, and how many better ones come first. */
const STATES = {
  unverified: {},
  active: {},
  paused: { refusal: 'api_key_paused' },
  expired: { refusal: 'api_key_expired' },
  'at its maximum': { refusal: 'limit_reached' },
  "at the member's maximum": { refusal: 'limit_reached' },
  'for other callers': { refusal: 'caller_not_allowed' },
  'out of credit for 10 minutes': { rank: 1 },
  'out of credit for 2 hours': {},
  'out of credit for 2 hours, and used since': { rank: 1 },
  rejected: { rank: 2 },
  unreadable: {},
} satisfies Record<string, { refusal?: ErrorCode; rank?: number }>

export type State = keyof typeof STATES
export const TEAM_STATES = Object.keys(STATES).filter((name): name is State => name in STATES)
export const OWN_STATES = TEAM_STATES.filter((state) => state !== "at the member's maximum")

/** Who asks, and what the vault learns of the user's teams. */
export interface Asker {
  door: 'relay' | 'binding'
  /** The team whose keys will do, and whether it is proven; null for none. */
  team: 'current' | 'old' | null
  /** The refusal if there is no team, and no key either. */
  fault?: ErrorCode
  /** The refusal before anything is read. */
  refusal?: ErrorCode
  claims?: (team: string, other: string) => object
  /** The team that the request names. */
  named?: boolean
  /** Whether an admin has just ended older tokens. */
  tokensSince?: boolean
}

const withTeam = (team: string) => ({ groups: [team] })
const withBoth = (team: string, other: string) => ({ groups: [other, team] })

const ASKERS: Record<string, Asker> = {
  'a token without teams': { door: 'relay', team: null },
  'a token with one team': { door: 'relay', team: 'current', claims: withTeam },
  'a token with one team, named': {
    door: 'relay',
    team: 'current',
    claims: withTeam,
    named: true,
  },
  'a token with two teams, one named': {
    door: 'relay',
    team: 'current',
    claims: withBoth,
    named: true,
  },
  'a token with two teams': {
    door: 'relay',
    team: null,
    fault: 'team_required',
    claims: withBoth,
  },
  'a token with another team than named': {
    door: 'relay',
    team: null,
    refusal: 'not_your_own',
    claims: (_team, other) => ({ groups: [other] }),
    named: true,
  },
  'a token that leaves its teams out': {
    door: 'relay',
    team: null,
    fault: 'teams_not_in_token',
    claims: () => ({ _claim_names: { groups: 'src1' } }),
  },
  'a token that leaves out the team named': {
    door: 'relay',
    team: null,
    refusal: 'teams_not_in_token',
    claims: () => ({ _claim_names: { groups: 'src1' } }),
    named: true,
  },
  'a token of two hours ago': {
    door: 'relay',
    team: 'old',
    claims: (team) => ({ ...withTeam(team), iat: inSeconds(-7_200) }),
  },
  'a token without a time': {
    door: 'relay',
    team: 'old',
    claims: (team) => ({ ...withTeam(team), iat: undefined }),
  },
  'a token from before tokens_since': {
    door: 'relay',
    team: 'old',
    claims: withTeam,
    tokensSince: true,
  },
  'a binding': { door: 'binding', team: null },
  'a binding with the team': { door: 'binding', team: 'current', named: true },
  'a binding with the team, after tokens_since': {
    door: 'binding',
    team: 'current',
    named: true,
    tokensSince: true,
  },
}

export const ASKER_NAMES = Object.keys(ASKERS)

export function askerOf({ asker: name }: Pick<Case, 'asker'>): Asker {
  const asker = ASKERS[name]
  if (asker === undefined) throw new Error(`Nobody is ${name}`)
  return asker
}

/** Keys by slot, in the order of their positions. */
export type Keys = readonly (readonly [slot: string, state: State])[]

export interface Case {
  /** One of {@link ASKER_NAMES}. */
  asker: string
  own: Keys
  teams: Keys
  /** The provider or the slot that the use names; `openai`, if it is missing. */
  asked?: string
  teamFirst?: boolean
  ownKeys?: boolean
  /** The providers and slots that the operator grants; null for all. */
  granted?: readonly string[] | null
  /** Whether the user was added before. */
  isUser?: boolean
  /** Whether each key has a maximum, so that its uses are counted. */
  isCounted?: boolean
}

/** What a use should come to. */
export interface Outcome {
  code: ErrorCode | null
  /** The key that is taken, or that the refusal is about; null for none. */
  key: { source: KeySource; slot: string; state: State } | null
}

export function expectedOf(of: Case): Outcome {
  const { own, teams, asked = 'openai', teamFirst = false, ownKeys = true, isUser = true } = of
  const { team, fault, refusal } = askerOf(of)
  if (asked !== 'openai' && !isGranted(of, asked)) {
    return { code: 'provider_not_granted', key: null }
  }
  if (refusal !== undefined) return { code: refusal, key: null }
  const keys = { own: team === null || ownKeys ? own : [], team: team === null ? [] : teams }
  const isTurned = teamFirst && team === 'current'
  const order: KeySource[] = isTurned ? ['team', 'own'] : ['own', 'team']
  const source = order.find((one) => keys[one].length > 0)
  if (source === undefined) {
    return { code: fault ?? (isUser ? 'no_api_key' : 'user_not_found'), key: null }
  }
  const found = keys[source]
    .filter(([slot]) => asked === 'openai' || slot === asked)
    .map(([slot, state]) => ({ source, slot, state }))
  const usable = found.filter((key) => refusalOf(of, key) === null)
  const [taken] = usable.toSorted((one, other) => rankOf(one) - rankOf(other))
  if (taken !== undefined) {
    return { code: taken.state === 'unreadable' ? 'api_key_unreadable' : null, key: taken }
  }
  const [first] = found
  return first === undefined
    ? { code: 'no_api_key', key: null }
    : { code: refusalOf(of, first), key: first }
}

type Key = NonNullable<Outcome['key']>

/** Why a key is left out; null if it is not. */
function refusalOf(of: Case, { source, slot, state }: Key): ErrorCode | null {
  if (source === 'team' && askerOf(of).team === 'old') return 'token_expired'
  if (!isGranted(of, slot)) return 'provider_not_granted'
  // Whoever uses a key for the first time has used nothing up.
  if (state === "at the member's maximum" && of.isUser === false) return null
  return ruleOf(state).refusal ?? null
}

const rankOf = ({ state }: Key) => ruleOf(state).rank ?? 0

const ruleOf = (state: State): { refusal?: ErrorCode; rank?: number } => STATES[state]

function isGranted({ granted = null }: Case, slot: string): boolean {
  return granted === null || granted.includes(slot) || granted.includes('openai')
}
