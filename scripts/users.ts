/** `npm run users -- add ID | list | remove ID [--remote]`: the users that may save keys. */

import { parseArgs } from 'node:util'
import { runCommand } from './command.ts'
import { queryD1, sqlText, type Where } from './wrangler.ts'

const USAGE = `Usage: npm run users -- add ID      [--remote]
       npm run users -- list        [--remote]
       npm run users -- remove ID   [--remote]   with all of the user's keys`
const LIST_LIMIT = 1_000

/** Adds the user where it is not there; says which of the two was so. */
export async function addUser(id: string, where: Where): Promise<boolean> {
  const sql = `INSERT INTO users (id) VALUES (${sqlText(id)}) ON CONFLICT DO NOTHING RETURNING id`
  const [added = []] = await queryD1(sql, where)
  return added.length > 0
}

async function listUsers(where: Where): Promise<void> {
  const [users = []] = await queryD1(
    `SELECT id, users.created_at, count(user_id) AS keys
     FROM users LEFT JOIN api_keys ON user_id = id
     GROUP BY id ORDER BY id LIMIT ${LIST_LIMIT + 1}`,
    where,
  )
  console.log('created_at\tkeys\tid')
  for (const { id, created_at, keys } of users.slice(0, LIST_LIMIT)) {
    console.log(`${created_at}\t${keys}\t${JSON.stringify(id)}`)
  }
  if (users.length > LIST_LIMIT) console.error(`The first ${LIST_LIMIT}; there are more.`)
}

async function removeUser(id: string, where: Where): Promise<boolean> {
  const [keys = [], removed = []] = await queryD1(
    `SELECT 1 FROM api_keys WHERE user_id = ${sqlText(id)};
     DELETE FROM users WHERE id = ${sqlText(id)} RETURNING id`,
    where,
  )
  if (removed.length > 0) console.log(`Removed ${id}; keys deleted: ${keys.length}`)
  return removed.length > 0
}

async function main(): Promise<number> {
  const { values: where, positionals } = parseArgs({
    allowPositionals: true,
    options: { remote: { type: 'boolean', default: false } },
  })
  const [command, id, ...rest] = positionals
  if (command === 'list' && id === undefined) {
    await listUsers(where)
  } else if (command === 'add' && id && rest.length === 0) {
    console.log((await addUser(id, where)) ? `Added ${id}` : `${id} is there already`)
  } else if (command === 'remove' && id && rest.length === 0) {
    if (await removeUser(id, where)) return 0
    console.error(`There is no user ${id}`)
    return 1
  } else {
    return 2
  }
  return 0
}

if (import.meta.main) await runCommand(USAGE, main)
