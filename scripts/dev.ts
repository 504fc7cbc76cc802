/** `npm run dev`: secrets, tables and a demo user where there are none, then `wrangler dev`. */

import { createInterface } from 'node:readline'
import { makeDevVars } from './dev-vars.ts'
import { mintToken } from './token.ts'
import { addUser } from './users.ts'
import { runWrangler, startWrangler } from './wrangler.ts'

const DEMO_USER = 'demo'
const DEMO_KEY = 'sk-demo-0123456789'

function banner(url: string, token: string): string {
  const curl = `curl -sS -w '\\n' ${url}/api/users/${DEMO_USER}/api-key -H 'Authorization: Bearer ${token}'`
  return `
User Key Vault is ready.

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

makeDevVars()
const token = await mintToken(DEMO_USER)
await runWrangler('d1', 'execute', 'DB', '--local', '--file', 'schema.sql')
await addUser(DEMO_USER, { remote: false })

const args = ['--show-interactive-dev-session=false', ...process.argv.slice(2)]
const wrangler = startWrangler('dev', ...args)
process.on('SIGINT', () => {}) // The terminal sends it to wrangler too, whose end ends this.
process.on('SIGTERM', () => wrangler.kill('SIGTERM'))
wrangler.on('exit', (code) => process.exit(code ?? 0))

if (wrangler.stdout === null) throw new Error('wrangler was started without a pipe')
for await (const line of createInterface({ input: wrangler.stdout })) {
  console.log(line)
  const [, url] = /Ready on (http\S+)/.exec(line) ?? []
  if (url !== undefined) console.log(banner(url, token))
}
