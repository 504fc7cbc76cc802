/** Runs `npm run import` in the process of a test, on a database that is empty before each. */

import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { csvOf, recordedFernetRows } from '../../node/fernet.ts'
import { startDatabase, type TestDatabase } from '../database.ts'
import { enterFolder, runScript, type Ended } from '../run-script.ts'

/** Starts the database for the tests of a file, and works in a folder with `LEGACY_FERNET_KEY` in `.dev.vars`. */
export function useImports() {
  const fernet = recordedFernetRows()
  let database: TestDatabase
  let folder: ReturnType<typeof enterFolder>

  beforeAll(async () => {
    database = await startDatabase()
    folder = enterFolder()
  })
  afterAll(async () => {
    folder.leave()
    await database.close()
  })
  beforeEach(async () => {
    await database.empty()
    writeFileSync('.dev.vars', `LEGACY_FERNET_KEY=${fernet.key}`)
  })

  /** Imports a file with `content`. */
  async function importText(
    file: string,
    content: string | Uint8Array,
    ...args: string[]
  ): Promise<Ended> {
    writeFileSync(file, content)
    return runScript(['import/command', file, ...args], database.db)
  }

  return {
    fernet,
    database: () => database,
    importText,
    importUsers: async (users: typeof fernet.users) => importText('users.csv', csvOf(users)),
    countOf: async (table: string) => {
      const [row] = await database.query(`SELECT count(*) AS rows FROM ${table}`)
      return row?.['rows']
    },
  }
}
