/** A backend that uses keys through several vaults. */

import type { KeyVault } from '../../../src/index.ts'

/** `VAULT_0`, `VAULT_1`, … */
type CallerEnv = Record<string, Service<KeyVault>>

/** What {@link useMany} has done. */
export interface Uses {
  uses: number
  refused: number
  seconds: number
}

const CALL = { method: 'POST', body: '{"model": "x"}' }
const AT_ONCE = 16

export default {
  /** `/0/user/openai?to=URL` uses a key through the first vault. A `POST` of user ids to `/0?to=URL&ms=2000` uses one key after the other. */
  fetch: async (request: Request, env: CallerEnv): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    const [, index = '', userId = '', slot = ''] = pathname.split('/')
    const vault = env[`VAULT_${index}`]
    if (vault === undefined) return new Response(null, { status: 404 })
    const [to = '', teamId] = ['to', 'team'].map((name) => searchParams.get(name) ?? undefined)
    if (request.method === 'POST') {
      const users: string[] = await request.json()
      return Response.json(await useMany(vault, users, { to, ms: Number(searchParams.get('ms')) }))
    }
    const options = teamId === undefined ? {} : { teamId }
    const result = await vault.fetchWithApiKey(userId, slot, new Request(to, CALL), options)
    return result.ok ? result.response : Response.json(result, { status: 502 })
  },
}

/** Uses the keys of the users in this order, again and again, 16 at once. */
async function useMany(
  vault: Service<KeyVault>,
  users: readonly string[],
  { to, ms }: { to: string; ms: number },
): Promise<Uses> {
  const done = { uses: 0, refused: 0 }
  const startedAt = Date.now()
  let next = 0
  const useOn = async () => {
    while (Date.now() < startedAt + ms) {
      const user = users[next % users.length] ?? ''
      next += 1
      // oxlint-disable-next-line no-await-in-loop -- one after the other
      const result = await vault.fetchWithApiKey(user, 'openai', new Request(to, CALL))
      // oxlint-disable-next-line no-await-in-loop
      if (result.ok) await result.response.text()
      done[result.ok ? 'uses' : 'refused'] += 1
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, useOn))
  return { ...done, seconds: (Date.now() - startedAt) / 1_000 }
}
