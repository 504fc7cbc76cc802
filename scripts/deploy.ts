/** `npm run deploy`: migrates the deployed database, then deploys the Worker. */

import { exitWith, JSON_OUTPUT, makeCommand, runCommand } from './lib/command.ts'
import { listPending } from './lib/migrations.ts'
import { CONFIG, runOnTerminal, runWrangler } from './lib/wrangler.ts'

interface Options {
  dryRun: boolean
  json: boolean
  env?: string
  config?: string
}

const UNKNOWN = `Could not list the pending migrations of the deployed database, so the exit code is 1.
They need a login (npx wrangler login, or CLOUDFLARE_API_TOKEN) and the database_id in ${CONFIG}.`

const migrations = (verb: 'list' | 'apply', { env }: Options) => {
  const environment = env === undefined ? [] : ['--env', env]
  return ['d1', 'migrations', verb, 'DB', '--remote', ...environment]
}

/** What `wrangler deploy` gets. */
const deployment = () => {
  return ['deploy', '--minify', ...process.argv.slice(2).filter((arg) => arg !== '--json')]
}

/** Shows what would be deployed. @returns 1 if a part of that is not known */
async function rehearse(options: Options): Promise<number> {
  if (options.json) return rehearseForProgram(options)
  const isListed = (await runOnTerminal(...migrations('list', options))) === 0
  const code = await runOnTerminal(...deployment())
  if (isListed) return code
  console.error(UNKNOWN)
  return 1
}

/** Prints the same as JSON. */
async function rehearseForProgram(options: Options): Promise<number> {
  const faults: string[] = []
  const noted = ({ message }: Error) => {
    faults.push(message)
    return null
  }
  const listed = await runWrangler(...migrations('list', options)).catch(noted)
  const built = await runWrangler(...deployment()).catch(noted)
  const pending_migrations = listed === null ? null : listPending(listed)
  const plan = { configuration: CONFIG, pending_migrations, builds: built !== null, faults }
  console.log(JSON.stringify(plan, null, 2))
  return faults.length > 0 ? 1 : 0
}

async function deploy(options: Options): Promise<number> {
  if (options.config !== undefined) {
    command.error('error: set VAULT_CONFIG instead of --config: the migrations need the file too')
  }
  if (options.dryRun) return rehearse(options)
  if (options.json) command.error('error: --json needs --dry-run')
  const of = options.env === undefined ? CONFIG : `${CONFIG}, environment ${options.env}`
  console.error(
    `Applies the pending migrations to the deployed database of ${of}, then deploys its Worker.`,
  )
  if ((await runOnTerminal(...migrations('apply', options))) !== 0) {
    console.error('Nothing was deployed, because the migrations were not applied.')
    return 1
  }
  return runOnTerminal(...deployment())
}

const command = makeCommand('deploy', 'Migrates the deployed database, then deploys the Worker.')
  .option('--dry-run', 'shows what it would do, and changes nothing', false)
  .option('-e, --env <name>', 'the environment of the configuration')
  .option('-c, --config <file>', 'is refused: set VAULT_CONFIG instead')
  .addOption(JSON_OUTPUT)
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText(
    'after',
    '\nIt also takes the options of wrangler deploy: npx wrangler deploy --help',
  )
  .action(exitWith(deploy))

await runCommand(command)
