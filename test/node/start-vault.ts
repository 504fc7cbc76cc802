/** Starts the deployed bundle in workerd behind a real HTTP port, with its own database. */

import { randomBytes } from 'node:crypto'
import { createTestHarness } from 'wrangler'
import { applyMigrations } from '../../scripts/lib/migrations.ts'
import { inSeconds, signToken } from '../../scripts/lib/token.ts'
import { requireLines } from '../log-lines.ts'
import { NO_VARS } from './wrangler-names.ts'

interface Statement {
  bind: (...values: string[]) => Statement
  run: () => Promise<unknown>
}

interface WorkerEnv {
  DB: { prepare: (sql: string) => Statement }
}

/** Starts the Worker with the tables, the user `user`, and `vars`. */
export async function startVault(changes: Record<string, string> = {}) {
  const vars = { ...NO_VARS, ...changes }
  const secret = randomBytes(32).toString('hex')
  const secrets = {
    API_KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    JWT_SECRET_KEY: vars['JWT_JWKS_URL'] === '' ? secret : '',
  }
  const harness = createTestHarness({ workers: [{ configPath: 'wrangler.toml', vars, secrets }] })
  const { url } = await harness.listen()
  const { DB } = await harness.getWorker<WorkerEnv>().getEnv()
  await applyMigrations(DB)
  await DB.prepare("INSERT INTO users (id) VALUES ('user')").run()
  return {
    /** The path of the key of the user `user`. */
    keyUrl: new URL('/api/users/user/api-key', url),
    secret,
    /** Runs one SQL statement that has a `?` for each of `values`. */
    sql: async (statement: string, ...values: string[]) =>
      void (await DB.prepare(statement)
        .bind(...values)
        .run()),
    logs: () => harness.getLogs().map(({ message }) => message),
    /** Stops the Worker. @throws Error if it logged a line that the schema of log lines does not have */
    close: async () => {
      const lines = harness.getLogs().map(({ message }) => message)
      await harness.close()
      requireLines(lines)
    },
  }
}

/** A token signed with the vault's shared secret. It expires in `seconds`. */
export async function mintToken(secret: string, userId: string, seconds = 3_600): Promise<string> {
  return signToken({ sub: userId, exp: inSeconds(seconds) }, secret)
}
