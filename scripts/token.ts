/** `npm run token`: prints an access token for local development. */

import { npmCommand } from './lib/advice.ts'
import { exitWith, makeCommand, runCommand } from './lib/command.ts'
import { mintDevToken } from './lib/dev-vars.ts'
import { CONFIG } from './lib/wrangler.ts'

const LOCAL = { remote: false }
const TEAMS = `
With --team the token has org_id, and with --admin also org_role. For a vault that reads them:
${npmCommand('dev -- --var JWT_TEAM_CLAIM:org_id --var JWT_TEAM_ADMIN:org_role=admin', LOCAL)}`

const token = makeCommand(
  'token',
  'Prints an access token for a day, signed with the JWT_SECRET_KEY of .dev.vars.',
)
  .argument('<user>', 'the user id')
  .option('--scope <scope>', 'the scopes of the token, separated by spaces')
  .option('--client <client>', 'the application that the token is for')
  .option('--team <team>', 'makes the user a member of the team')
  .option('--admin', 'makes the user an admin of the team')
  .addHelpText('after', TEAMS)
  .action(
    exitWith(async (userId, { admin: isAdmin = false, ...claims }) => {
      if (isAdmin && claims.team === undefined) token.error('error: --admin needs --team')
      const minted = await mintDevToken(userId, { ...claims, isAdmin })
      if (minted === undefined) {
        throw new Error(`.dev.vars has no JWT_SECRET_KEY to sign a token with.
If [secrets] required in ${CONFIG} lists it, this adds one: ${npmCommand('dev', LOCAL)}`)
      }
      console.log(minted)
      return 0
    }),
  )

await runCommand(token)
