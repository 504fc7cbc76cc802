/** Finds why a migration is not for ten million rows: docs/recipes.md, "A column or a table". */

import { reset } from 'cloudflare:test'
import { env } from '../isolate.ts'

/** The tables that have one row. Any other table grows. */
const ONE_ROW: ReadonlySet<string> = new Set(['rewrap', 'recheck', 'heartbeat', 'import_secret'])

const [FEW, MANY] = [2, 20]

export const FAULT = {
  growing: 'It reads or writes more rows if a table has more',
  checking: 'SQLite checks every row of a table for it',
  changing: 'It changes, removes or renames something that is stored',
}

/** SQLite's code for a CHECK that fails: https://sqlite.org/rescode.html#constraint_check */
const CHECK_FAILED = 275

/** Runs the statements in an empty database. @returns what is wrong with how they declare tables */
export async function faultsOfTables(statements: readonly string[]): Promise<string[]> {
  await createTables(statements)
  return listTableFaults()
}

/**
 * Runs a migration after the statements of the earlier ones, with rows in each table.
 *
 * @returns what is wrong with it, and with how the tables are declared after it
 */
export async function faultsOf(
  earlier: readonly string[],
  migration: readonly string[],
): Promise<string[]> {
  const few = await migrate(earlier, migration, FEW)
  const many = await migrate(earlier, migration, MANY)
  const faults = keepTrue({
    [FAULT.growing]: many.rows > few.rows,
    [FAULT.checking]: many.isChecking,
    [FAULT.changing]: many.isChanging,
  })
  return [...faults, ...(await listTableFaults())]
}

/** The sentences that are true. */
function keepTrue(sentences: Record<string, boolean>): string[] {
  return Object.keys(sentences).filter((sentence) => sentences[sentence])
}

/** What a migration does in a database with `count` rows in each table that grows. */
async function migrate(earlier: readonly string[], migration: readonly string[], count: number) {
  await createTables(earlier)
  await fillTables(count)
  const tables = await listTables()
  const before = await readAll(tables)
  let [rows, isChecking] = [0, false]
  for (const sql of migration) {
    // oxlint-disable no-await-in-loop -- each statement needs the ones before it
    isChecking ||= await isCheckingRows(sql)
    const { meta } = await env.EMPTY_DB.prepare(sql).run()
    // oxlint-enable no-await-in-loop
    rows += meta.rows_read + meta.rows_written
  }
  const after = await readAll(tables).catch(() => [])
  return { rows, isChecking, isChanging: before.join() !== after.join() }
}

async function createTables(statements: readonly string[]): Promise<void> {
  await reset()
  await env.EMPTY_DB.batch(statements.map((sql) => env.EMPTY_DB.prepare(sql)))
}

/**
 * Whether an `ALTER TABLE` checks the rows of a table that grows. `rows_read` leaves these rows out, but a virtual table
 * gives them: https://sqlite.org/lang_altertable.html#altertabaddcol
 */
async function isCheckingRows(sql: string): Promise<boolean> {
  const growing = new Set((await listGrowing()).map(({ name }) => name))
  const instructions = await explain(sql)
  const isChecking = instructions.some(({ opcode }) => opcode === 'VFilter')
  return isChecking && instructions.some(({ p4 }) => p4 !== null && growing.has(p4))
}

/** An instruction of a statement: https://sqlite.org/opcode.html */
interface Instruction {
  opcode: string
  p1: number
  p4: string | null
}

async function explain(sql: string): Promise<Instruction[]> {
  return select<Instruction>(`EXPLAIN ${sql}`)
}

/** What is wrong with how tables are declared, and each trigger. */
async function listTableFaults(): Promise<string[]> {
  const growing = (await listGrowing()).map(async ({ name }) => faultsOfForm(name))
  const references = (await listTables()).map(async (_, index, all) => faultsOfOrder(index, all))
  const triggers = await select<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'trigger'",
  )
  return [
    ...(await Promise.all([...growing, ...references])).flat(),
    ...triggers.map(({ name }) => `There is a trigger ${name}`),
  ]
}

async function faultsOfForm(name: string): Promise<string[]> {
  const insertion = await explain(`INSERT INTO ${name} DEFAULT VALUES`)
  const isStrict = insertion.some(({ opcode }) => opcode === 'TypeCheck')
  const hasCheck = insertion.some(({ opcode, p1 }) => opcode === 'Halt' && p1 === CHECK_FAILED)
  return keepTrue({
    [`The table ${name} is STRICT`]: isStrict,
    [`The table ${name} has a CHECK`]: hasCheck,
  })
}

/** `wrangler d1 export` writes the tables in the order of their creation, each with its rows. */
async function faultsOfOrder(index: number, tables: readonly Table[]): Promise<string[]> {
  const [table, ...later] = tables.slice(index)
  if (table === undefined) return []
  const keys = await select<{ table: string }>(`PRAGMA foreign_key_list(${table.name})`)
  const early = keys.filter((key) => later.some(({ name }) => name === key.table))
  return early.map((key) => `An export has rows of ${table.name} before ${key.table}`)
}

/** A table, with the names and the types of the columns that a row is inserted with. */
interface Table {
  name: string
  columns: { name: string; type: string }[]
}

async function listTables(): Promise<Table[]> {
  const names = await select<{ name: string }>(
    `SELECT name FROM sqlite_schema
     WHERE type = 'table' AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_cf_*' ORDER BY rowid`,
  )
  const tables = names.map(async ({ name }) => ({
    name,
    columns: await select<Table['columns'][number]>(`PRAGMA table_info(${name})`),
  }))
  return Promise.all(tables)
}

async function listGrowing(): Promise<Table[]> {
  return (await listTables()).filter(({ name }) => !ONE_ROW.has(name))
}

/** A table that grows gets `count` rows. Rows with the same number refer to each other. */
async function fillTables(count: number): Promise<void> {
  const tables = await listTables()
  const insertions = tables.map(({ name, columns }) => {
    const names = columns.map((column) => column.name)
    const values = columns.map(({ type }) => (type === 'INTEGER' ? 'i' : "'row ' || i"))
    const wanted = ONE_ROW.has(name) ? `1 - (SELECT count(*) FROM ${name})` : count
    return `WITH RECURSIVE numbers (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM numbers)
      INSERT INTO ${name} (${names.join()}) SELECT ${values.join()} FROM numbers LIMIT ${wanted}`
  })
  const statements = ['PRAGMA defer_foreign_keys = on', ...insertions]
  await env.EMPTY_DB.batch(statements.map((sql) => env.EMPTY_DB.prepare(sql)))
}

/** The rows of the tables, in these columns. It throws if a table or a column does not exist. */
async function readAll(tables: readonly Table[]): Promise<string[]> {
  const reading = tables.map(async ({ name, columns }) => {
    const rows = await select(`SELECT ${columns.map((column) => column.name).join()} FROM ${name}`)
    return rows.map((row) => `${name} ${JSON.stringify(row)}`).toSorted()
  })
  return (await Promise.all(reading)).flat()
}

async function select<Row>(sql: string): Promise<Row[]> {
  return (await env.EMPTY_DB.prepare(sql).all<Row>()).results
}
