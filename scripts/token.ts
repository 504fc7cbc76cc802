/** `npm run token -- USER`: prints an access token for local development. */

import { runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'

await runCommand('Usage: npm run token -- USER', async () => {
  const [userId, ...rest] = process.argv.slice(2)
  if (!userId || userId.startsWith('--') || rest.length > 0) return 2
  const token = await mintDevToken(userId)
  if (token === undefined) {
    throw new Error(`.dev.vars has no JWT_SECRET_KEY to sign a token with.
If [secrets] required in wrangler.toml lists it, npm run dev adds one.`)
  }
  console.log(token)
  return 0
})
