/** `npm run dev`: makes what is missing (secrets, tables, a demo user), then starts `wrangler dev`. */

import { createInterface } from 'node:readline'
import { run } from '../src/store/d1.ts'
import { insertUser } from '../src/store/users.ts'
import { withDatabase } from './lib/database.ts'
import { makeDevVars, mintDevToken } from './lib/dev-vars.ts'
import { readUrl, runWrangler, startWrangler } from './lib/wrangler.ts'

const DEMO_USER = 'demo'
const DEMO_KEY = 'sk-demo-0123456789'

/** What is printed when the Worker is up: lines to paste, or why they would not work. */
async function banner(url: string, token = ''): Promise<string> {
  const keyUrl = `${url}/api/users/${DEMO_USER}/api-key`
  const response = await fetch(keyUrl, { headers: { Authorization: `Bearer ${token}` } })
  if (!response.ok) {
    return `
The Worker is up at ${url}, but refuses the demo user's token:
${response.status} ${await response.text()}
On a 500, the log above names the variable to fix. On a 401, the Worker takes other tokens than npm run
token makes with the JWT_SECRET_KEY of .dev.vars: those of JWT_JWKS_URL, or of JWT_ISSUER and JWT_AUDIENCE.
`
  }
  const curl = `curl -sS -w '\\n' ${keyUrl} -H 'Authorization: Bearer ${token}'`
  return `
User Key Vault is ready.

  Page   ${url}/#token=${token}
         (opens it with the demo user signed in)

  URL    ${url}
  User   ${DEMO_USER}
  Token  ${token}
         (for a day; another one: npm run token -- USER)

Save a key, see its preview, delete it:

${curl} -X PUT -H 'Content-Type: application/json' -d '{"api_key": "${DEMO_KEY}"}'
${curl}
${curl} -X DELETE
`
}

/** What Cloudflare does for a deployed Worker: its Cron Trigger, every minute. */
async function runJob(url: string): Promise<void> {
  await fetch(`${url}/cdn-cgi/local/scheduled`).catch((error: unknown) => {
    console.error(`The scheduled job could not be started: ${String(error)}`)
  })
}

makeDevVars()
await runWrangler('d1', 'migrations', 'apply', 'DB', '--local')
await withDatabase({ remote: false }, async (db) => run(db, insertUser(DEMO_USER)))

const args = ['--show-interactive-dev-session=false', ...process.argv.slice(2)]
const wrangler = startWrangler('dev', ...args)
process.on('SIGINT', () => {}) // The terminal sends it to wrangler too, whose end ends this.
process.on('SIGTERM', () => wrangler.kill('SIGTERM'))
wrangler.on('exit', (code) => process.exit(code ?? 0))

if (wrangler.stdout === null) throw new Error('wrangler was started without a pipe')
for await (const line of createInterface({ input: wrangler.stdout })) {
  console.log(line)
  const url = readUrl(line)
  if (url === undefined) continue
  console.log(await banner(url, await mintDevToken(DEMO_USER)))
  await runJob(url)
  setInterval(() => void runJob(url), 60_000)
}
