/** Users with few keys, with a key in every state, and with many, for looks.slow.test.ts and the pictures. */

import type { EventAnswer } from '../../src/shared/answers.ts'

/** The part of the vault that this file uses. */
interface Vault {
  keyUrl: URL
  sql: (statement: string, ...values: string[]) => Promise<void>
}

/** A key, and the columns of its row in which it differs from one that was just saved. */
interface Sample {
  slot: string
  apiKey: string
  savedAt: string
  columns?: Record<string, string>
}

/** Three keys, as the pictures show them. */
const THREE: Sample[] = [
  {
    slot: 'openai',
    apiKey: 'sk-proj-sample-0123456789-Qx7Z',
    savedAt: '2026-03-02T09:14',
    columns: { status: 'active', last_used_at: '2026-11-20T16:31:00.000Z' },
  },
  {
    slot: 'anthropic',
    apiKey: 'sk-ant-sample',
    savedAt: '2026-01-12T18:40',
    columns: { status: 'rejected', last_used_at: '2026-11-17T08:02:00.000Z' },
  },
  { slot: 'gemini', apiKey: 'AIza-sample', savedAt: '2026-11-19T11:25' },
]

const inDays = (days: number) => new Date(Date.now() + days * 24 * 60 * 60 * 1_000).toISOString()

/** Keys in the other states, with those that an operator's mistake leaves, and that of the plain route. */
const OTHERS: Sample[] = [
  { slot: 'openai:work', apiKey: 'sk-proj-sample-0123456789-Qx7Z', savedAt: '2026-03-03T09:14' },
  {
    slot: 'anthropic:work',
    apiKey: 'sk-ant-sample-2',
    savedAt: '2026-02-12T18:40',
    columns: { status: 'rejected', paused_at: '2026-11-04T09:00:00.000Z' },
  },
  { slot: 'default', apiKey: 'sk-plain-sample', savedAt: '2025-12-01T10:00' },
  {
    slot: 'xai',
    apiKey: 'xai-sample-1',
    savedAt: '2026-02-03T12:00',
    // What was sealed for one provider cannot be opened for another.
    columns: { provider: 'cohere' },
  },
  {
    slot: 'github',
    apiKey: 'ghp_sample-1',
    savedAt: '2026-02-03T12:00',
    columns: { provider: 'gone' },
  },
  {
    slot: 'together',
    apiKey: 'together-sample-1',
    savedAt: '2026-02-03T12:00',
    columns: { key_id: 'gone' },
  },
  {
    slot: 'perplexity',
    apiKey: 'pplx-sample-1',
    savedAt: '2026-02-04T12:00',
    columns: { expires_at: '2026-05-04T12:00:00.000Z' },
  },
  {
    slot: 'deepseek',
    apiKey: 'sk-sample-0123456789-Wm3k',
    savedAt: '2026-02-05T12:00',
    columns: { status: 'active', expires_at: inDays(5) },
  },
  {
    slot: 'openrouter',
    apiKey: 'sk-or-v1-sample-0123456789-Hb5t',
    savedAt: '2026-02-06T12:00',
    columns: { status: 'active', exhausted_at: '2026-11-03T14:05:00.000Z' },
  },
  {
    slot: 'huggingface',
    apiKey: 'hf_sample-0123456789-Zp2d',
    savedAt: '2026-02-07T12:00',
    columns: {
      status: 'active',
      max_uses: '100',
      max_uses_per: 'day',
      uses: '100',
      uses_in: '9999',
      callers: '["binding:batch"]',
    },
  },
  {
    slot: 'replicate',
    apiKey: 'r8_sample-0123456789-Kc9v',
    savedAt: '2026-02-08T12:00',
    columns: { status: 'active', paused_at: '2026-11-05T09:00:00.000Z' },
  },
]

const countUp = (slot: string, from: number): Sample[] =>
  Array.from({ length: 11 - from }, (_, index) => ({
    slot: `${slot}:team-${from + index}`,
    apiKey: `${slot}-sample-0123456789-${from + index}`,
    savedAt: '2026-06-01T12:00',
  }))

/** Of two providers, of every state, and of as many as fit into a few providers. */
export const SAMPLES = {
  none: [],
  two: THREE.slice(0, 2),
  three: THREE,
  fourteen: [...THREE, ...OTHERS],
  forty: [
    ...THREE,
    ...OTHERS,
    ...countUp('openai', 3),
    ...countUp('anthropic', 3),
    ...countUp('gemini', 2),
    ...countUp('openrouter', 10),
  ],
}

/** Saves samples as keys of `user`. */
export async function saveSamples(
  vault: Vault,
  { user, token }: { user: string; token: string },
  samples: readonly Sample[],
): Promise<void> {
  for (const { slot, apiKey, savedAt, columns } of samples) {
    const url = `${vault.keyUrl.origin}/api/users/${user}/api-keys/${slot}?verify=false`
    await saveKey(url, token, apiKey)
    const row = { updated_at: `${savedAt}:00.000Z`, ...columns }
    const changes = Object.keys(row).map((column) => `${column} = ?`)
    await vault.sql(
      `UPDATE api_keys SET ${changes.join(', ')} WHERE user_id = ? AND provider = ?`,
      ...Object.values(row),
      user,
      slot,
    )
  }
}

/** An event of the trail. `last` makes it a sum. */
export interface SampleEvent {
  slot?: string
  event: string
  by?: EventAnswer['by']
  caller?: string
  code?: string
  verdict?: string
  at: string
  last?: string
  count?: number
  errors?: number
}

/** Adds events to the trail of `user`, as the vault does. Their slot is OpenAI's, if they do not name one. */
export async function addEvents(
  vault: Pick<Vault, 'sql'>,
  user: string,
  events: readonly SampleEvent[],
): Promise<void> {
  const rows = events.map(({ at, last, ...event }, index) => {
    const { slot = 'openai', by = 'caller', caller, code, verdict, count = 1, errors = 0 } = event
    const what = [slot, event.event, by, caller, code, verdict]
    // It is the only one of its row.
    const id = last === undefined ? `${at}.${1_000 + index}` : `[${1_000 + index}]`
    const minutes = [at, last].map((each) => each?.slice(14, 23))
    const hours = last && { [last.slice(11, 13)]: [count, errors, ...minutes] }
    return [(last ?? at).slice(0, 10), id, ...what, hours]
  })
  await vault.sql(
    `INSERT INTO api_key_events (user_id, day, id, provider, event, actor, caller, code, verdict, hours)
     SELECT ?, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
       value ->> 6, value ->> 7, value -> 8
     FROM json_each(?)`,
    user,
    JSON.stringify(rows),
  )
}

/** Saves `apiKey` in the slot at `url`, as a frontend does. */
export async function saveKey(url: string, token: string, apiKey: string): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const body = JSON.stringify({ api_key: apiKey })
  const response = await fetch(url, { method: 'PUT', headers, body })
  if (!response.ok) throw new Error(await response.text())
}
