/** `npm run users`: manages the users that may save keys. */

import { addUser } from '../src/keys/users.ts'
import { userOwner } from '../src/shared/owner.ts'
import { nameUserIdFault } from '../src/shared/user-id.ts'
import { exitWith, makeCommand, REMOTE, runCommand, YES } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { addOwnerCommands } from './lib/owners.ts'
import { announce } from './lib/question.ts'

const users = makeCommand('users', 'Manages the users that may save keys.')

users
  .command('add')
  .description('adds a user')
  .argument('<id>', "the user id, as the user's tokens have it")
  .addOption(REMOTE)
  .addOption(YES)
  .action(
    exitWith(async (id, options) => {
      const fault = nameUserIdFault(id)
      if (fault !== null) throw new Error(`The user id ${fault}`)
      return withDatabase(options, async (db, name) => {
        const asks = options.remote
        await announce(`Adds the user ${id} to ${name}.`, { asks, ...options })
        console.log(
          (await addUser({ db }, userOwner(id))) ? `Added ${id}` : `${id} is there already`,
        )
        return 0
      })
    }),
  )

await runCommand(addOwnerCommands(users, 'user', withDatabase))
