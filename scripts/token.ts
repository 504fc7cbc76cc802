/** `npm run token -- USER`: prints an access token for local development. */

import { runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'

await runCommand('Usage: npm run token -- USER', async () => {
  const [userId, ...rest] = process.argv.slice(2)
  if (!userId || userId.startsWith('--') || rest.length > 0) return 2
  const token = await mintDevToken(userId)
  if (token === undefined) {
    throw new Error(`.dev.vars has no JWT_SECRET_KEY to sign a token with.
If .dev.vars does not exist, npm run dev makes it. Otherwise add a secret of 32 bytes or more.`)
  }
  console.log(token)
  return 0
})
