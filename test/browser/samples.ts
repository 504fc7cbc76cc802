/** A user with a key in every state, for looks.test.ts and the pictures. */

import type { EventAnswer } from '../../src/shared/answers.ts'

/** The part of the vault that this file uses. */
interface Vault {
  keyUrl: URL
  sql: (statement: string, ...values: string[]) => Promise<void>
}

/** A row as D1 holds it. */
interface Sample {
  slot: string
  apiKey: string
  status?: 'active' | 'rejected' | 'unverified'
  savedAt: string
  usedAt?: string
}

const SAMPLES: Sample[] = [
  {
    slot: 'openai',
    apiKey: 'sk-proj-sample-0123456789-Qx7Z',
    status: 'active',
    savedAt: '2026-03-02T09:14',
    usedAt: '2026-11-20T16:31',
  },
  {
    slot: 'anthropic',
    apiKey: 'sk-ant-sample',
    status: 'rejected',
    savedAt: '2026-01-12T18:40',
    usedAt: '2026-11-17T08:02',
  },
  { slot: 'gemini', apiKey: 'AIza-sample', savedAt: '2026-11-19T11:25' },
]

/** Those that an operator's mistake leaves, and that of the plain route. */
const ODD_SAMPLES: Sample[] = [
  { slot: 'default', apiKey: 'sk-plain-sample', savedAt: '2025-12-01T10:00' },
  { slot: 'xai', apiKey: 'xai-sample-1', savedAt: '2026-02-03T12:00' },
  { slot: 'github', apiKey: 'ghp_sample-1', savedAt: '2026-02-03T12:00' },
  { slot: 'together', apiKey: 'together-sample-1', savedAt: '2026-02-03T12:00' },
]

/** Saves the samples as keys of `user`. With `odd`, also those that cannot be read, and one of no provider. */
export async function saveSamples(
  vault: Vault,
  { user, token, odd }: { user: string; token: string; odd: boolean },
): Promise<void> {
  for (const { slot, apiKey, status = 'unverified', savedAt, usedAt = '' } of odd
    ? [...SAMPLES, ...ODD_SAMPLES]
    : SAMPLES) {
    const url = `${vault.keyUrl.origin}/api/users/${user}/api-keys/${slot}?verify=false`
    await saveKey(url, token, apiKey)
    await vault.sql(
      `UPDATE api_keys SET status = ?, updated_at = ?, last_used_at = nullif(?, '')
       WHERE user_id = ? AND provider = ?`,
      status,
      `${savedAt}:00.000Z`,
      usedAt === '' ? '' : `${usedAt}:00.000Z`,
      user,
      slot,
    )
  }
  if (!odd) return
  await vault.sql(
    "UPDATE api_keys SET key_id = 'gone' WHERE provider = 'together' AND user_id = ?",
    user,
  )
  await vault.sql(
    "UPDATE api_keys SET provider = 'cohere' WHERE provider = 'xai' AND user_id = ?",
    user,
  )
  await vault.sql(
    "UPDATE api_keys SET provider = 'gone' WHERE provider = 'github' AND user_id = ?",
    user,
  )
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
