/** The Worker that `npm run bench -- rewrap` measures: the rewrap job, and only its statements. */

import { openKey, sealKey } from '../../src/crypto/seal.ts'
import { runJob } from '../../src/jobs.ts'
import { BATCH_ROWS } from '../../src/keys/rewrap.ts'
import { beginPass, savePass, readPass } from '../../src/keys/rewrap-pass.ts'
import { openService } from '../../src/service.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { run, runBatch } from '../../src/store/d1.ts'
import { selectRowsAfter } from '../../src/store/all-keys.ts'
import { swapKeys } from '../../src/store/resealed-keys.ts'

const SEEDED_AT_ONCE = 2_000

const jobs = { seed, rewrap: rewrapAll, bare: moveAll, rows: openAndSeal, idle: rewrapOnce }

export default {
  /** `GET /<job>?rows=<count>&keys=<API_KEY_ENCRYPTION_KEY>`: runs the job, and answers its number of statements. */
  fetch: async (request: Request, env: Env): Promise<Response> => {
    const { pathname, searchParams } = new URL(request.url)
    const job = Object.entries(jobs).find(([name]) => pathname === `/${name}`)?.[1]
    if (job === undefined) return new Response(null, { status: 404 })
    let statements = 0
    const prepare = (sql: string) => {
      statements += 1
      return env.DB.prepare(sql)
    }
    const DB = Object.assign(Object.create(env.DB), {
      prepare,
      batch: async (batch: D1PreparedStatement[]) => env.DB.batch(batch),
    })
    const keys = searchParams.get('keys') ?? ''
    await job({ ...env, DB, API_KEY_ENCRYPTION_KEY: keys }, Number(searchParams.get('rows')))
    return Response.json({ statements })
  },
}

/** Adds users with one key of a usual length each. */
async function seed(env: Env, rows: number): Promise<void> {
  const { keyring } = await openService(env)
  for (let from = 0; from < rows; from += SEEDED_AT_ONCE) {
    const sealing = Array.from({ length: SEEDED_AT_ONCE }, async () => {
      const userId = crypto.randomUUID()
      const slot = { userId, provider: DEFAULT_SLOT }
      const { sealed, kid } = await sealKey(keyring, slot, `sk-proj-${'x'.repeat(156)}`)
      return [userId, sealed, kid]
    })
    // oxlint-disable-next-line no-await-in-loop -- a part at a time
    const json = JSON.stringify(await Promise.all(sealing))
    // oxlint-disable-next-line no-await-in-loop
    await env.DB.batch([
      env.DB.prepare('INSERT INTO users (id) SELECT value ->> 0 FROM json_each(?1)').bind(json),
      env.DB.prepare(
        `INSERT INTO api_keys (user_id, encrypted_api_key, key_id)
           SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?1)`,
      ).bind(json),
    ])
  }
}

async function rewrapOnce(env: Env): Promise<void> {
  await runJob(env, 'rewrap')
}

async function rewrapAll(env: Env): Promise<void> {
  const service = await openService(env)
  do {
    // oxlint-disable-next-line no-await-in-loop -- a run at a time, as the Cron Trigger has it
    await rewrapOnce(env)
    // oxlint-disable-next-line no-await-in-loop
  } while ((await readPass(service))?.finishedAt === null)
}

/** Runs the statements of a pass, and writes every row back unchanged. */
async function moveAll(env: Env): Promise<void> {
  const service = await openService(env)
  await beginPass(service)
  let pass = await readPass(service)
  while (pass?.finishedAt === null) {
    // oxlint-disable-next-line no-await-in-loop -- a batch at a time
    const { results: rows } = await run(service.db, selectRowsAfter(pass.last, BATCH_ROWS))
    const last = rows.at(-1) ?? pass.last
    const ended = rows.length < BATCH_ROWS
    const resealed = rows.map((row) => ({ row, to: { ...row, fingerprint: '' } }))
    // oxlint-disable-next-line no-await-in-loop
    await runBatch(service.db, [swapKeys(service.keyring.sealing.kid, resealed)])
    // oxlint-disable-next-line no-await-in-loop
    pass = await savePass(service.db, { ...pass, last }, ended)
  }
}

/** Does only the work of a row: opens a key, and seals it under another one. */
async function openAndSeal(env: Env, rows: number): Promise<void> {
  const { keyring } = await openService(env)
  for (let row = 0; row < rows; row += 1) {
    const slot = { userId: `user-${row}`, provider: DEFAULT_SLOT }
    // oxlint-disable-next-line no-await-in-loop -- one row at a time
    const sealedKey = await sealKey(keyring, slot, `sk-proj-${'x'.repeat(156)}`)
    // oxlint-disable-next-line no-await-in-loop
    await openKey(keyring, { ...slot, ...sealedKey })
  }
}
