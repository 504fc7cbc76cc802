/** docs/stored-data.md and docs/privacy.md say where the user id is: after each operation it is nowhere else, and a key, a token or an address is nowhere. */

import { expect, it, onTestFinished } from 'vitest'
import * as z from 'zod/mini'
import privacy from '../docs/privacy.md?raw'
import page from '../docs/stored-data.md?raw'
import { environment } from '../src/environment.ts'
import { runJobs } from '../src/jobs.ts'
import { LOG_EVENTS } from '../src/log-lines.ts'
import { columnsWith, readCells, readStore, readTables, watchedVault } from './all-stored.ts'
import { METHODS, REQUESTS, someSubject } from './faults/operations.ts'
import { emptyVault, env } from './isolate.ts'
import { someKnown } from './keys/known-user.ts'
import { namesIn, rowsUnder } from './markdown.ts'
import { recordLogs } from './support.ts'

/** `table.column` for each column of a cell such as `users`: `id`, `identity`. */
function columnsIn(cell = ''): string[] {
  return Array.from(cell.matchAll(/`(\w+)`: (`\w+`(?:, `\w+`)*)/g)).flatMap(([, table, names]) =>
    namesIn(names).map((name) => `${table}.${name}`),
  )
}

const [, sentence = ''] = page.split('\nThe user id itself is in ')
const COLUMNS_WITH_ID = namesIn(sentence.split('\n')[0])
const LINES_WITH_ID = rowsUnder(privacy, '## What a log line has').flatMap(([line]) =>
  namesIn(line),
)

it('the page lists each column once', async () => {
  const listed = ['## Columns about a user', '## Columns that name nobody'].flatMap((heading) =>
    rowsUnder(page, heading).flatMap(([cell]) => columnsIn(cell)),
  )
  const known = Array.from(await readTables(), ([table, columns]) =>
    columns.map(({ name }) => `${table}.${name}`),
  )
  expect(listed.toSorted()).toEqual(known.flat().toSorted())
})

it('the page lists each line of the log that can have a user id', () => {
  const events = Object.entries(LOG_EVENTS).filter(([, { fields }]) =>
    JSON.stringify(z.toJSONSchema(fields)).includes('"user_id"'),
  )
  expect(LINES_WITH_ID.toSorted()).toEqual(events.map(([event]) => event).toSorted())
})

it('the page has the defaults of how long keys and events are kept', () => {
  for (const name of ['EXPIRED_KEPT_DAYS', 'EVENTS_KEPT_DAYS'] as const) {
    expect(page).toContain(`\`${name}\` (${environment[name].missing})`)
  }
})

it('the user id reaches each column that the page names', async () => {
  onTestFinished(emptyVault)
  const { userId } = await someKnown(watchedVault().vault)
  expect(columnsWith(await readCells(), userId)).toEqual(COLUMNS_WITH_ID.toSorted())
})

/** In each key, token and address of these tests. */
const SECRET = /sk-good|sk-bad|eyJ[\w-]+\.[\w-]+\.|192\.0\.2\.1/

/** A line as the page names it. Of requests, the page names only those to the relay. */
function nameLine({ event, route }: Record<string, unknown>): string {
  const isOfApi = event === 'request' && !String(route).startsWith('/relay/')
  return isOfApi ? `request ${String(route)}` : String(event)
}

/** Where the user id is and the page does not name it, and what is secret. */
async function findFaults(
  userId: string,
  { messages, points }: ReturnType<typeof watchedVault>,
  log: readonly Record<string, unknown>[],
) {
  const [cells, store] = [await readCells(), await readStore()]
  const lines = log.filter((line) => JSON.stringify(line).includes(userId)).map(nameLine)
  const isNamed = (name: string) => COLUMNS_WITH_ID.includes(name) || LINES_WITH_ID.includes(name)
  return {
    places: [...columnsWith(cells, userId), ...lines].filter((name) => !isNamed(name)),
    elsewhere: [store, JSON.stringify(points)].filter((text) => text.includes(userId)),
    secrets: SECRET.exec(JSON.stringify([cells, store, points, messages, log])),
  }
}

const NONE = { places: [], elsewhere: [], secrets: null }

const CASES = [...REQUESTS, ...METHODS].map((operation) => [operation.name, operation] as const)

it.for(CASES)('%s leaves the user id only where the page says', async ([, operation]) => {
  const logs = recordLogs()
  const watched = watchedVault(operation.vars)
  const userId = await someSubject(operation)
  const { code } = await operation.run(userId, watched.vault)
  expect(code).toBe(operation.code)
  expect(await findFaults(userId, watched, logs.events())).toEqual(NONE)
})

it('the jobs leave the user id only where the page says', async () => {
  onTestFinished(emptyVault)
  const logs = recordLogs()
  const watched = watchedVault({ RECHECK_AFTER_DAYS: '1' })
  const { userId } = await someKnown(watched.vault)
  await env.DB.exec("UPDATE api_keys SET updated_at = '2026-01-01', last_used_at = NULL")
  await runJobs(watched.vault)
  expect(logs.text()).toContain('keys_rechecked')
  await env.DB.exec("UPDATE api_keys SET expires_at = date('now', '-40 days')")
  await runJobs(watched.vault)
  await runJobs(watched.vault)
  expect(logs.text()).toMatch(/expired_key_deleted.*rewrap_finished/s)
  expect(await findFaults(userId, watched, logs.events())).toEqual(NONE)
})
