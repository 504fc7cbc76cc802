/** A vault in which a use is seen from all sides: by its caller, at the provider, and in D1. */

import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { vi } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { KeyVault } from '../../src/binding/key-vault.ts'
import { sealKey } from '../../src/crypto/seal.ts'
import { openService } from '../../src/service.ts'
import { teamOwner, userOwner } from '../../src/shared/owner.ts'
import type { KeySource } from '../../src/shared/slot.ts'
import { env } from '../isolate.ts'
import { call, mintToken, recordLogs } from '../support.ts'
import { MODELS } from './key-owner.ts'
import { askerOf, expectedOf, type Case, type Keys, type Outcome, type State } from './use-rules.ts'

/** A user, a team of the user, and another team, by their ids. */
interface World {
  user: string
  team: string
  other: string
}

const ownersOf = ({ user, team, other }: World) => ({
  own: userOwner(user),
  team: teamOwner(team),
  other: teamOwner(other),
})

/** A key that tells whose it is, and in which slot. */
const keyOf = (source: KeySource | 'other', slot: string, { user }: World) =>
  `sk-${source}-${slot}-${user}`

/** The uses of each key, and of each key by the member, before the use. */
const USED = 5

const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
const monthNow = () => new Date().toISOString().slice(0, 7)

type Row = Record<string, string | number | null>

const COLUMNS: Record<State, () => Row> = {
  unverified: () => ({}),
  active: () => ({ status: 'active' }),
  paused: () => ({ paused_at: minutesAgo(1) }),
  expired: () => ({ expires_at: minutesAgo(1) }),
  'at its maximum': () => ({ max_uses: USED, max_uses_per: 'month' }),
  "at the member's maximum": () => ({
    max_uses_per_member: USED,
    max_uses_per_member_per: 'month',
  }),
  'for other callers': () => ({ callers: '["binding:other"]' }),
  'out of credit for 10 minutes': () => ({ status: 'active', exhausted_at: minutesAgo(10) }),
  'out of credit for 2 hours': () => ({ status: 'active', exhausted_at: minutesAgo(120) }),
  'out of credit for 2 hours, and used since': () => ({
    status: 'active',
    exhausted_at: minutesAgo(120),
    last_used_at: minutesAgo(30),
  }),
  rejected: () => ({ status: 'rejected' }),
  unreadable: () => ({ encrypted_api_key: 'damaged' }),
}

const MAXIMA: Record<KeySource | 'other', Row> = {
  own: { max_uses: 1_000, max_uses_per: 'month' },
  team: {
    max_uses: 1_000,
    max_uses_per: 'month',
    max_uses_per_member: 1_000,
    max_uses_per_member_per: 'month',
  },
  other: {},
}

/** The rows of an owner's keys. */
async function rowsOf(
  world: World,
  source: KeySource | 'other',
  { keys, vault, isCounted = true }: { keys: Keys; vault: Env; isCounted?: boolean | undefined },
): Promise<Row[]> {
  const { keyring } = await openService(vault)
  const userId = ownersOf(world)[source]
  const rows = keys.map(async ([provider, state], index) => {
    const apiKey = keyOf(source, provider, world)
    const { sealed, kid } = await sealKey(keyring, { userId, provider }, apiKey)
    const row = { user_id: userId, provider, position: index * 2 + 1, key_id: kid }
    const counted = isCounted ? MAXIMA[source] : {}
    const before = { status: 'unverified', uses: USED, uses_in: monthNow() }
    return { ...row, encrypted_api_key: sealed, ...before, ...counted, ...COLUMNS[state]() }
  })
  return Promise.all(rows)
}

/** Inserts rows into a table, each of which may have columns of its own. */
function insert(table: string, rows: readonly Row[]): D1PreparedStatement[] {
  return rows.map((row) => {
    const names = Object.keys(row)
    const places = names.map(() => '?').join(', ')
    const sql = `INSERT INTO ${table} (${names.join(', ')}) VALUES (${places})`
    return env.DB.prepare(sql).bind(...Object.values(row))
  })
}

/** Writes the owners of a case and their keys to D1. */
async function build(of: Case, vault: Env): Promise<World> {
  const { own, teams, ownKeys = true, isUser = true, isCounted } = of
  const id = crypto.randomUUID()
  const world = { user: `user-${id}`, team: `team-${id}`, other: `other-${id}` }
  const owners = ownersOf(world)
  const tokens_since = askerOf(of).tokensSince === true ? new Date().toISOString() : null
  const rows = await Promise.all([
    rowsOf(world, 'own', { keys: own, vault, isCounted }),
    rowsOf(world, 'team', { keys: teams, vault, isCounted }),
    rowsOf(world, 'other', { keys: [['openai', 'active']], vault }),
  ])
  const used = `INSERT INTO member_uses (user_id, provider, member, uses_in, uses, mark)
    SELECT user_id, provider, users.identity, ?3, ${USED}, '' FROM api_keys, users
    WHERE user_id = ?1 AND users.id = ?2 AND max_uses_per_member IS NOT NULL`
  await env.DB.batch([
    ...insert('users', isUser ? [{ id: owners.own }] : []),
    ...insert('users', [
      { id: owners.team, own_keys: ownKeys ? 1 : 0, tokens_since },
      { id: owners.other },
    ]),
    ...insert('api_keys', rows.flat()),
    env.DB.prepare(used).bind(owners.team, owners.own, monthNow()),
  ])
  return world
}

/** What the caller sees: a code, or which key was used. */
interface Seen {
  code: string | null
  source: string | null
  slot: string | null
}

async function useBound({ user, team }: World, of: Case, vault: Env): Promise<Seen> {
  const { asked = 'openai', granted = null } = of
  const grants = { caller: 'chat', grants: ['use'], teams: true }
  const props = granted === null ? grants : { ...grants, providers: granted }
  const context = Object.assign(createExecutionContext(), { props })
  const options = askerOf(of).named === true ? { teamId: team } : {}
  const binding = new KeyVault(context, vault)
  const result = await binding.fetchWithApiKey(user, asked, new Request(MODELS), options)
  await waitOnExecutionContext(context)
  return result.ok ? { code: null, ...result.key } : { code: result.code, source: null, slot: null }
}

async function useRelayed({ user, team, other }: World, of: Case, vault: Env): Promise<Seen> {
  const { claims, named } = askerOf(of)
  const user_claims = { sub: user, scope: 'relay', client_id: 'notebook', iat: inSeconds(-60) }
  const token = await mintToken({ ...user_claims, ...claims?.(team, other) })
  const context = createExecutionContext()
  const { headers } = await call('GET', `/relay/${of.asked ?? 'openai'}/v1/models`, {
    token,
    headers: named === true ? { 'X-Vault-Team': team } : {},
    env: vault,
    context,
  })
  await waitOnExecutionContext(context)
  const [code, source, slot] = ['Error', 'Key', 'Slot'].map((name) =>
    headers.get(`X-Vault-${name}`),
  )
  return { code: code ?? null, source: source ?? null, slot: slot ?? null }
}

/** What D1 has after a use: the counts that have changed, the events, and whether the user is there. */
async function storedIn(world: World) {
  const { own, team, other } = ownersOf(world)
  const select = (sql: string) =>
    env.DB.prepare(`${sql} WHERE user_id IN (?1, ?2, ?3)`).bind(own, team, other)
  const [keys, members, events, users] = await env.DB.batch<Row>([
    select('SELECT user_id, provider, uses FROM api_keys'),
    select('SELECT user_id, provider, uses FROM member_uses'),
    select(`SELECT user_id, provider, event, code, caller,
      (SELECT sum(value ->> 0) FROM json_each(hours)) AS count,
      member IS (SELECT identity FROM users WHERE id = ?1) AS isByMember FROM api_key_events`),
    env.DB.prepare('SELECT id FROM users WHERE id = ?1').bind(own),
  ])
  const changed = (rows: Row[] = []) => rows.filter(({ uses }) => uses !== USED)
  return {
    uses: changed(keys?.results),
    memberUses: changed(members?.results),
    events: events?.results,
    isUser: users?.results.length === 1,
  }
}

/** The event of a use, by its code. */
function eventOf(code: Outcome['code']) {
  if (code === null) return { event: 'used', code }
  if (code === 'api_key_unreadable') return { event: 'unreadable', code: null }
  return code === 'limit_reached' ? { event: code, code: null } : { event: 'use_refused', code }
}

/** What everybody should see of a use that comes to `outcome`. */
function expectedIn(world: World, of: Case, { code, key }: Outcome) {
  const { isUser = true, isCounted = true } = of
  const nothing = { sent: [], uses: [], memberUses: [], isUser }
  const refused = { code, source: null, slot: null }
  if (key === null) return { seen: refused, ...nothing, events: [] }
  const { source, slot, state } = key
  const place = { user_id: ownersOf(world)[source], provider: slot }
  const caller = askerOf(of).door === 'relay' ? 'relay:notebook' : 'binding:chat'
  const isByMember = source === 'team' ? 1 : 0
  const events = [{ ...place, ...eventOf(code), caller, count: 1, isByMember }]
  if (code === 'api_key_unreadable' && !isUser) {
    // The use has added the user before it is given back.
    const memberUses = isCounted ? [{ ...place, uses: 0 }] : []
    return { seen: refused, ...nothing, memberUses, isUser: true, events }
  }
  if (code !== null) return { seen: refused, ...nothing, events }
  const isMemberCounted = isCounted || state === "at the member's maximum"
  const memberUses = [{ ...place, uses: isUser ? USED + 1 : 1 }]
  return {
    seen: { code, source, slot },
    sent: [`Bearer ${keyOf(source, slot, world)}`],
    uses: isCounted ? [{ ...place, uses: USED + 1 }] : [],
    memberUses: source === 'team' && isMemberCounted ? memberUses : [],
    isUser: true,
    events,
  }
}

/** Does the use of each case, and returns what everybody saw and what they should have seen. */
export async function playAll(cases: readonly Case[]) {
  recordLogs()
  const sent: string[] = []
  vi.spyOn(globalThis, 'fetch').mockImplementation(async (input, init) => {
    sent.push(new Request(input, init).headers.get('Authorization') ?? '')
    return Response.json({})
  })
  const vaults = new Map<string, Env>()
  const played = []
  for (const of of cases) {
    const { teamFirst = false, granted = null } = of
    const relayed = granted === null ? {} : { RELAY_PROVIDERS: granted.join(',') }
    const vars = { JWT_TEAM_CLAIM: 'groups', TEAM_FIRST: String(teamFirst), ...relayed }
    const vault = vaults.get(JSON.stringify(vars)) ?? { ...env, ...vars }
    vaults.set(JSON.stringify(vars), vault)
    // oxlint-disable-next-line no-await-in-loop -- what is sent is of one use at a time
    const world = await build(of, vault)
    const use = askerOf(of).door === 'relay' ? useRelayed : useBound
    // oxlint-disable-next-line no-await-in-loop
    const seen = await use(world, of, vault)
    // oxlint-disable-next-line no-await-in-loop
    const actual = { seen, sent: sent.splice(0), ...(await storedIn(world)) }
    played.push({ of, actual, expected: expectedIn(world, of, expectedOf(of)) })
  }
  return played
}
