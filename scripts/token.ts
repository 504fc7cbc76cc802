/** `npm run token -- USER [--scope SCOPE] [--client CLIENT] [--team TEAM [--admin]]`: prints an access token for local development. */

import { parseArgs } from 'node:util'
import { runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'
import { CONFIG } from './lib/wrangler.ts'

const USAGE = `Usage: npm run token -- USER [--scope SCOPE] [--client CLIENT] [--team TEAM [--admin]]

With --team the token has org_id, and with --admin also org_role. For a vault that reads them:
npm run dev -- --var JWT_TEAM_CLAIM:org_id --var JWT_TEAM_ADMIN:org_role=admin`

await runCommand(USAGE, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      scope: { type: 'string' },
      client: { type: 'string' },
      team: { type: 'string' },
      admin: { type: 'boolean', default: false },
    },
  })
  const [userId, ...rest] = positionals
  const { team, admin: isAdmin } = values
  if (!userId || rest.length > 0 || (isAdmin && team === undefined)) return 2
  const token = await mintDevToken(userId, { ...values, isAdmin })
  if (token === undefined) {
    throw new Error(`.dev.vars has no JWT_SECRET_KEY to sign a token with.
If [secrets] required in ${CONFIG} lists it, npm run dev adds one.`)
  }
  console.log(token)
  return 0
})
