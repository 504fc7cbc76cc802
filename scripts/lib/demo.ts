/** Saves the made-up keys of the demo user in the local vault, and brings each into its state. */

import { runBatch } from '../../src/store/d1.ts'
import { withDatabase } from './database.ts'
import { DEMO_KEYS, type DemoKey } from './demo-keys.ts'
import { bringAbout, inDays } from './demo-state.ts'
import { mintDevToken } from './dev-vars.ts'
import { layOut } from './table.ts'

/** Options of Wrangler by which it may use another database than the local one. `-lr` is `-l -r`, and `--r` too. */
const OTHER_DATABASES =
  /^(?:--(?:remote|r|env|e|env-?file|config|c|cwd|persist-?to)(?:=|$)|-[a-z]*[rec])/i

/**
 * @returns the options of `npm run dev`, with the one that connects Wrangler to nothing remote
 * @throws Error if with these options it may use another database than the local one
 */
export function requireLocal(
  args: readonly string[],
  databases: readonly { remote?: boolean | undefined }[],
): string[] {
  const option = args.find((arg) => OTHER_DATABASES.test(arg))
  if (option !== undefined) throw new Error(`--demo does not work with ${option}`)
  if (databases.some(({ remote }) => remote === true)) {
    throw new Error('--demo works with the local database alone, and yours is remote')
  }
  return [...args, '--local']
}

/** The local vault, and who uses it. */
interface Vault {
  url: string
  userId: string
}

/**
 * Saves {@link DEMO_KEYS} in the slots that are empty. The other slots stay as they are.
 *
 * @returns what it did, in words
 * @throws Error if the vault refuses a key
 */
export async function saveDemoKeys({ url, userId }: Vault): Promise<string> {
  const token = (await mintDevToken(userId)) ?? ''
  const saved: DemoKey[] = []
  for (const key of DEMO_KEYS) {
    const slot = `${url}/api/users/${userId}/api-keys/${key.slot}`
    // oxlint-disable-next-line no-await-in-loop -- in order: the first key of a provider has the first place
    if (await saveDemoKey(slot, token, key)) saved.push(key)
  }
  const statements = saved.flatMap((key) => bringAbout(userId, key))
  if (statements.length > 0) {
    await withDatabase({ remote: false }, async (db) => runBatch(db, statements))
  }
  return describe(userId, saved)
}

/** Saves the key with its expiry and limits, as its owner does. Returns false if the slot has a key. */
async function saveDemoKey(slot: string, token: string, key: DemoKey): Promise<boolean> {
  const { apiKey, expiresIn = 0, limits } = key
  const body = { api_key: apiKey, expires_at: expiresIn > 0 ? inDays(expiresIn) : null }
  const saved = await change('PUT', `${slot}?verify=false`, token, body)
  if (saved && limits !== undefined) await change('PATCH', slot, token, limits)
  return saved
}

/** Returns false if the slot of a `PUT` is not empty. */
async function change(
  method: 'PUT' | 'PATCH',
  url: string,
  token: string,
  body: object,
): Promise<boolean> {
  const headers = {
    Authorization: `Bearer ${token}`,
    'Content-Type': 'application/json',
    ...(method === 'PUT' && { 'If-None-Match': '*' }),
  }
  const answer = await fetch(url, { method, headers, body: JSON.stringify(body) })
  if (answer.ok || answer.status === 412) return answer.ok
  throw new Error(`The vault refused a demo key: ${answer.status} ${await answer.text()}`)
}

function describe(userId: string, saved: readonly DemoKey[]): string {
  const kept = DEMO_KEYS.filter((key) => !saved.includes(key)).map(({ slot }) => slot)
  const lines: string[] = []
  if (saved.length > 0) {
    const table = layOut(saved.map(({ slot, state }) => [slot, state]))
    lines.push(
      `The user ${userId} has these made-up keys, which no provider accepts:\n`,
      `${table}\n`,
    )
  }
  if (kept.length > 0) {
    lines.push(
      `These slots of the user ${userId} had a key, and stay as they are: ${kept.join(', ')}\n`,
    )
  }
  return lines.join('\n')
}
