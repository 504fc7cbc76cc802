/** `npm run teams`: manages the teams that have keys. */

import { makeCommand, runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { addOwnerCommands } from './lib/owners.ts'

const teams = makeCommand(
  'teams',
  'Manages the teams that have keys. The first key that an admin saves for a team adds the team.',
)

await runCommand(addOwnerCommands(teams, 'team', withDatabase))
