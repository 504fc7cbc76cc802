/** What a slot says after each answer of a built-in provider that a use of its key gets. */

import { expect, it, vi } from 'vitest'
import { useKey } from '../../src/binding/methods.ts'
import { BUILT_IN } from '../../src/providers/built-in.ts'
import { CONDITION_HEADER } from '../../src/shared/vault-headers.ts'
import { saveSlot } from '../../src/keys/save.ts'
import { env } from '../isolate.ts'
import { ANSWERS, OUT_OF_CREDIT, type Answer } from '../providers/built-in-answers.ts'
import { HOSTILE } from '../providers/hostile-answers.ts'
import { ownerOf, slotOf, someKey, someUser } from '../support.ts'

/** A vault with the built-in providers as they are. */
const VAULT: Env = { ...env, PROVIDERS: {} }

/** A new key in the slot of a provider, and its uses: each gets the answer that is given. */
async function someUsed(provider: string) {
  const userId = await someUser()
  const owner = await ownerOf(userId, VAULT)
  await saveSlot(owner, provider, { apiKey: someKey(), verify: false })
  const use = async ({ about, status, body }: Omit<Answer, 'says' | 'source'>) => {
    vi.spyOn(globalThis, 'fetch').mockResolvedValueOnce(toResponse(status, body))
    const works: Promise<void>[] = []
    const waitUntil = (work: Promise<void>) => void works.push(work)
    // The first use of a caller in an hour is counted at once, and the others later.
    const by = { kind: 'caller', name: `binding:${about}` } as const
    const request = new Request(`${BUILT_IN[provider]?.origin}/v1/messages`, { method: 'POST' })
    const named = slotOf(owner, provider)
    const { response } = await useKey({ ...owner, by, waitUntil }, named, request)
    await Promise.all(works)
    return response
  }
  return { use, read: async () => readSlot(userId) }
}

function toResponse(status: number, body: object | string): Response {
  const isPage = typeof body === 'string'
  const headers = { 'Content-Type': isPage ? 'text/html' : 'application/json' }
  return new Response(isPage ? body : JSON.stringify(body), { status, headers })
}

const KEY = 'SELECT status, exhausted_at AS since FROM api_keys WHERE user_id = ?1'

const EVENTS = `SELECT event, reason, provider_status AS status FROM api_key_events
  WHERE user_id = ?1 AND event IN ('rejected_in_use', 'out_of_credit', 'in_credit')`

/** What the slot says, and the events of the trail besides uses. */
async function readSlot(userId: string) {
  const [key, events] = await env.DB.batch(
    [KEY, EVENTS].map((sql) => env.DB.prepare(sql).bind(userId)),
  )
  return { key: key?.results[0], events: events?.results }
}

/** Only a check reads an answer with the status 200. */
const OF_USES = ANSWERS.filter(({ status }) => status !== 200)

const saying = (...said: string[]) => OF_USES.filter(({ says }) => said.includes(says))

it.for(saying(OUT_OF_CREDIT))('a key of $provider is out of credit: $about', async (answer) => {
  const { use, read } = await someUsed(answer.provider)
  const response = await use(answer)
  expect(response.headers.get(CONDITION_HEADER)).toBe(OUT_OF_CREDIT)
  expect(response.status).toBe(answer.status)
  expect(await read()).toEqual({
    key: { status: 'unverified', since: expect.any(String) },
    events: [{ event: OUT_OF_CREDIT, reason: null, status: answer.status }],
  })
})

it.for(saying('revoked', 'leaked', 'suspended', 'unknown'))(
  'a key of $provider is rejected, $says: $about',
  async (answer) => {
    const { use, read } = await someUsed(answer.provider)
    const response = await use(answer)
    expect(response.headers.has(CONDITION_HEADER)).toBe(false)
    expect(await read()).toEqual({
      key: { status: 'rejected', since: null },
      events: [{ event: 'rejected_in_use', reason: answer.says, status: answer.status }],
    })
  },
)

const WITHOUT_MEANING = [
  ...saying('nothing'),
  ...HOSTILE.map(([provider, about, status, body]) => ({ provider, about, status, body })),
].filter(({ status }) => status !== 200)

it.for(Object.keys(BUILT_IN))(
  'a key of %s stays as it was after each answer that says nothing of it',
  async (name) => {
    const { use, read } = await someUsed(name)
    for (const answer of WITHOUT_MEANING.filter(({ provider }) => provider === name)) {
      const { headers } = await use(answer)
      const condition = headers.get(CONDITION_HEADER)
      expect({ ...answer, condition }).toEqual({ ...answer, condition: null })
    }
    expect(await read()).toEqual({ key: { status: 'unverified', since: null }, events: [] })
  },
)
