/** `npm run token -- USER [--scope SCOPE] [--client CLIENT]`: prints an access token for local development. */

import { parseArgs } from 'node:util'
import { runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'
import { CONFIG } from './lib/wrangler.ts'

await runCommand('Usage: npm run token -- USER [--scope SCOPE] [--client CLIENT]', async () => {
  const options = { scope: { type: 'string' }, client: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ allowPositionals: true, options })
  const [userId, ...rest] = positionals
  if (!userId || rest.length > 0) return 2
  const token = await mintDevToken(userId, values)
  if (token === undefined) {
    throw new Error(`.dev.vars has no JWT_SECRET_KEY to sign a token with.
If [secrets] required in ${CONFIG} lists it, npm run dev adds one.`)
  }
  console.log(token)
  return 0
})
