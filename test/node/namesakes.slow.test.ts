/**
 * A user, the team of the same id, and a user whose id is the text of that team. A second Worker has derived none of the
 * keys under which the first one sealed.
 */

import { afterAll, beforeAll, expect, it } from 'vitest'
import { inSeconds } from '../../scripts/lib/token.ts'
import { startDirectVault } from './direct-vault.ts'
import { startEcho } from './echo-server.ts'

let provider: Awaited<ReturnType<typeof startEcho>>
let vault: Awaited<ReturnType<typeof startDirectVault>>

beforeAll(async () => {
  provider = await startEcho()
  const vars = {
    PROVIDERS: JSON.stringify({ openai: { origin: provider.url } }),
    JWT_TEAM_CLAIM: 'org_id',
    JWT_TEAM_ADMIN: 'org_role=admin',
    AUTO_CREATE_USERS: 'true',
  }
  vault = await startDirectVault(vars, { copies: { second: {} } })
})
afterAll(async () => {
  await vault.close()
  await provider.close()
})

/** An owner of keys: the path of its slot, and the claims of who saves and who uses its key. */
interface Namesake {
  path: string
  claims: object
}

const userOf = (id: string): Namesake => ({
  path: `/api/users/${encodeURIComponent(id)}`,
  claims: { sub: id },
})
const teamOf = (id: string): Namesake => ({
  path: `/api/teams/${encodeURIComponent(id)}`,
  claims: { sub: `admin-of-${id}`, org_id: id, org_role: 'admin' },
})

async function tokenOf({ claims }: Namesake): Promise<string> {
  return vault.tokenOf({ iat: inSeconds(0), ...claims })
}

async function save(owner: Namesake, apiKey: string): Promise<void> {
  const saved = await fetch(new URL(`${owner.path}/api-keys/openai`, vault.url), {
    method: 'PUT',
    headers: {
      Authorization: `Bearer ${await tokenOf(owner)}`,
      'Content-Type': 'application/json',
    },
    body: JSON.stringify({ api_key: apiKey }),
  })
  const { status } = saved
  expect({ status, body: await saved.json() }).toMatchObject({ status: 200 })
}

/** The key that the provider got, through the second Worker. */
async function usedKey(owner: Namesake): Promise<unknown> {
  const answer = await fetch(new URL('/relay/openai/v1/x', await vault.urlOf('second')), {
    headers: { Authorization: `Bearer ${await tokenOf(owner)}` },
  })
  const { headers }: { headers?: Record<string, string> } = await answer.json()
  return headers?.['authorization'] ?? answer.headers.get('X-Vault-Error')
}

it.for([
  ['the user first', [0, 1, 2]],
  ['the team first', [1, 2, 0]],
  ['the user with the text of the team first', [2, 1, 0]],
] as const)('owners of one id use their own keys in another Worker: %s', async ([, order]) => {
  const id = crypto.randomUUID()
  const owners = [userOf(id), teamOf(id), userOf(`team:${id}`)]
  const ordered = order.flatMap((index) => owners[index] ?? [])
  const keys = ordered.map((_, index) => `sk-${index}-${crypto.randomUUID()}`)
  for (const [index, owner] of ordered.entries()) await save(owner, keys[index] ?? '')
  const used = await Promise.all(ordered.map(usedKey))
  expect(used).toEqual(keys.map((key) => `Bearer ${key}`))
})
