/** What is stored under which key, and how far the rewrap job is: read from D1, without any key. */

import type { Counts } from '../src/store/rewrap.ts'
import { FERNET_KEY_ID } from '../src/crypto/seal.ts'
import { queryD1, sqlText, type Where } from './wrangler.ts'

/** Rows that one statement counts: the largest number that is sure to end within D1's 30 s. */
const PAGE_ROWS = 250_000

/** The keyring of the Worker, by its kids. */
export interface KeyringNames {
  seals: string
  opens: string[]
  fernet: string[]
}

/** What is stored under one kid. `state` is null where nothing was ever written under it. */
export interface KeyIdStatus {
  key_id: string
  version: string
  rows: number
  in_keyring: boolean
  unopenable: number
  state: string | null
}

/** The job's pass. Times are ISO 8601, UTC; `rows` are counted now, `done` by the job. */
export interface Progress {
  rows: number
  done: number
  unopenable: number
  rows_per_second: number
  seconds_left: number | null
  started_at: string
  moved_at: string
  finished_at: string | null
  asked_at: string | null
}

/** All of it. `keyring` and `rewrap` are null until the Worker's job has run once. */
export interface KeyStatus {
  keyring: KeyringNames | null
  rows: number
  key_ids: KeyIdStatus[]
  missing: string[]
  rewrap: Progress | null
}

interface Pass {
  keyring: string
  counts: Counts
  started_at: string
  moved_at: string
  finished_at: string | null
  asked_at: string | null
}

/** Counts all rows, a page a statement; `counted` is told how many, where there are more. */
export async function readStatus(
  where: Where,
  counted: (rows: number) => void = () => {},
  pageRows = PAGE_ROWS,
): Promise<KeyStatus> {
  const [pass, states] = await readPass(where)
  const stored = await countRows(where, counted, pageRows)
  const keyring = pass && parseKeyring(pass.keyring)
  const key_ids = stored.map(({ key_id, version, rows }, index) => ({
    key_id,
    version,
    rows,
    in_keyring: keyring !== null && isIn(keyring, key_id),
    unopenable: isFirst(stored, index) ? (pass?.counts[key_id]?.unopenable ?? 0) : 0,
    state: states.get(key_id) ?? null,
  }))
  for (const [key_id, state] of states) {
    if (key_ids.some((status) => status.key_id === key_id)) continue
    const in_keyring = keyring !== null && isIn(keyring, key_id)
    key_ids.push({ key_id, version: '', rows: 0, in_keyring, unopenable: 0, state })
  }
  const rows = stored.reduce((sum, row) => sum + row.rows, 0)
  const missing = keyring === null ? [] : key_ids.filter(isMissing)
  return {
    keyring,
    rows,
    key_ids,
    missing: [...new Set(missing.map(({ key_id }) => key_id))],
    rewrap: pass && progressOf(pass, rows),
  }
}

/** Fernet tokens name no key: where none of them opens, theirs is not in the keyring. */
function isMissing({ key_id, rows, in_keyring, unopenable }: KeyIdStatus): boolean {
  if (rows === 0) return false
  return !in_keyring || (key_id === FERNET_KEY_ID && unopenable >= rows)
}

/** A kid may have rows of several versions; what is counted by kid is told once. */
function isFirst(stored: StoredRows[], index: number): boolean {
  return stored.findIndex(({ key_id }) => key_id === stored[index]?.key_id) === index
}

/** How far the pass over `rows` rows is; null where there has been none. */
export async function readProgress(where: Where, rows: number): Promise<Progress | null> {
  const [pass] = await readPass(where)
  return pass && progressOf(pass, rows)
}

async function readPass(where: Where): Promise<[Pass | null, Map<string, string>]> {
  const [[row] = [], states = []] = await queryD1(
    'SELECT * FROM rewrap; SELECT key_id, state FROM key_ids ORDER BY key_id',
    where,
  )
  const text = (name: string) => String(row?.[name] ?? '')
  const pass = row && {
    keyring: text('keyring'),
    counts: JSON.parse(text('counts')),
    started_at: text('started_at'),
    moved_at: text('moved_at'),
    finished_at: text('finished_at') || null,
    asked_at: text('asked_at') || null,
  }
  return [pass ?? null, new Map(states.map(({ key_id, state }) => [String(key_id), String(state)]))]
}

function progressOf({ counts, ...times }: Pass, rows: number): Progress {
  const sum = (name: 'done' | 'unopenable') =>
    Object.values(counts).reduce((total, count) => total + count[name], 0)
  const [done, unopenable] = [sum('done'), sum('unopenable')]
  const seconds = (Date.parse(times.moved_at) - Date.parse(times.started_at)) / 1000
  const rate = seconds > 0 ? (done + unopenable) / seconds : 0
  const left = times.finished_at === null ? Math.max(0, rows - done - unopenable) : 0
  const { started_at, moved_at, finished_at, asked_at } = times
  return {
    rows,
    done,
    unopenable,
    rows_per_second: Math.round(rate * 10) / 10,
    seconds_left: rate > 0 ? Math.ceil(left / rate) : null,
    started_at,
    moved_at,
    finished_at,
    asked_at,
  }
}

interface StoredRows {
  key_id: string
  version: string
  rows: number
}

async function countRows(
  where: Where,
  counted: (rows: number) => void,
  pageRows: number,
): Promise<StoredRows[]> {
  const sums = new Map<string, StoredRows>()
  let total = 0
  for (let after: string | null = `('', '')`; after !== null;) {
    // oxlint-disable-next-line no-await-in-loop -- each page begins where the last one ended
    const [counts = [], [last] = []]: Awaited<ReturnType<typeof queryD1>> = await queryD1(
      pageSql(after, pageRows),
      where,
    )
    for (const { key_id, version, rows } of counts) {
      const stored = { key_id: String(key_id), version: String(version), rows: Number(rows) }
      const sum = sums.get(`${key_id} ${version}`)
      sums.set(`${key_id} ${version}`, { ...stored, rows: stored.rows + (sum?.rows ?? 0) })
      total += stored.rows
    }
    if (last) counted(total)
    after = last
      ? `(${sqlText(String(last['user_id']))}, ${sqlText(String(last['provider']))})`
      : null
  }
  return Array.from(sums.values()).toSorted((one, other) => other.rows - one.rows)
}

/** The counts of a page, and its last row, where it is full. */
function pageSql(after: string, pageRows: number): string {
  const rest = `FROM api_keys WHERE (user_id, provider) > ${after} ORDER BY user_id, provider`
  return `
    SELECT key_id, CASE
        WHEN substr(encrypted_api_key, 1, 3) = 'v1.' THEN 'v1'
        WHEN substr(encrypted_api_key, 1, 5) = 'gAAAA' THEN 'fernet'
        ELSE 'unknown'
      END AS version, count(*) AS rows
    FROM (SELECT key_id, encrypted_api_key ${rest} LIMIT ${pageRows}) GROUP BY 1, 2;
    SELECT user_id, provider ${rest} LIMIT 1 OFFSET ${pageRows - 1}`
}

function parseKeyring(name: string): KeyringNames {
  const prefix = `${FERNET_KEY_ID}:`
  const kids = name.split(',')
  const [seals = '', ...opens] = kids.filter((kid) => !kid.startsWith(prefix))
  const fernet = kids.filter((kid) => kid.startsWith(prefix)).map((kid) => kid.slice(prefix.length))
  return { seals, opens, fernet }
}

function isIn({ seals, opens, fernet }: KeyringNames, keyId: string): boolean {
  if (keyId === FERNET_KEY_ID) return fernet.length > 0
  return keyId === seals || opens.includes(keyId)
}
