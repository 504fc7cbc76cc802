/** Everything that a vault stores and sends, as text to search in. */

import { runInDurableObject } from 'cloudflare:test'
import { env } from './isolate.ts'
import { someEncryptionKey } from './support.ts'

const TABLES = `SELECT name FROM sqlite_schema WHERE type = 'table'
  AND name NOT GLOB '_cf_*' AND name NOT GLOB 'sqlite_*' ORDER BY rowid`

interface Column {
  name: string
  type: string
}

/** The columns of each table of D1, in the order in which the tables were made. */
export async function readTables(): Promise<Map<string, Column[]>> {
  const { results: tables } = await env.DB.prepare(TABLES).all<{ name: string }>()
  const infos = tables.map(({ name }) => env.DB.prepare(`PRAGMA table_info(${name})`))
  const columns = await env.DB.batch<Column>(infos)
  return new Map(tables.map(({ name }, index) => [name, columns[index]?.results ?? []]))
}

/** A cell of D1. */
export interface Cell {
  /** `table.column`. */
  column: string
  text: string
}

export async function readCells(): Promise<Cell[]> {
  const { results: tables } = await env.DB.prepare(TABLES).all<{ name: string }>()
  const all = tables.map(({ name }) => env.DB.prepare(`SELECT * FROM ${name}`))
  const found = await env.DB.batch<Record<string, unknown>>(all)
  return tables.flatMap(({ name: table }, index) => {
    const cells = found[index]?.results.flatMap((row) => Object.entries(row)) ?? []
    return cells.map(([name, value]) => ({ column: `${table}.${name}`, text: String(value) }))
  })
}

/** The columns that have `word` in a cell. */
export function columnsWith(cells: readonly Cell[], word: string): string[] {
  const found = cells.filter(({ text }) => text.includes(word)).map(({ column }) => column)
  return [...new Set(found)].toSorted()
}

/** All that the second store holds: the rows of each table, and the rest. */
export async function readStore(): Promise<string> {
  const store = env.DELETIONS.getByName('deletions')
  return runInDurableObject(store, async (_, { storage }) => {
    const tables = storage.sql.exec<{ name: string }>(TABLES).toArray()
    const rows = tables.map(({ name }) => storage.sql.exec(`SELECT * FROM ${name}`).toArray())
    return JSON.stringify([rows, [...(await storage.list())]])
  })
}

/** A vault that expects imported rows, the messages that it sends to the queue, and its data points. */
export function watchedVault(vars: object = {}) {
  const messages: unknown[] = []
  const points: unknown[] = []
  const sendBatch = async (sent: unknown[]) => void messages.push(...sent)
  const vault: Env = {
    ...env,
    ...vars,
    LEGACY_FERNET_KEY: someEncryptionKey(),
    EVENTS_QUEUE: { send: null, sendBatch },
    ANALYTICS: { writeDataPoint: (point: unknown) => void points.push(point) },
  }
  return { vault, messages, points }
}
