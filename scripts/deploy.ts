/** `npm run deploy`: migrates the deployed database, then deploys the Worker. */

import { parseArgs } from 'node:util'
import { runOnTerminal } from './lib/wrangler.ts'

const args = process.argv.slice(2)
const { values } = parseArgs({
  args,
  strict: false,
  options: {
    'dry-run': { type: 'boolean' },
    env: { type: 'string', short: 'e' },
    config: { type: 'string', short: 'c' },
  },
})
const environment = typeof values.env === 'string' ? ['--env', values.env] : []

/** Lists the pending migrations for a dry run, or applies them. */
async function migrate(verb: 'list' | 'apply'): Promise<boolean> {
  const code = await runOnTerminal('d1', 'migrations', verb, 'DB', '--remote', ...environment)
  return code === 0
}

/** Shows what would be deployed. @returns 1 if a part of that is not known */
async function rehearse(): Promise<number> {
  const isListed = await migrate('list')
  const code = await runOnTerminal('deploy', '--minify', ...args)
  if (isListed) return code
  console.error(`Could not list the pending migrations of the deployed database, so the exit code is 1.
They need a login (npx wrangler login, or CLOUDFLARE_API_TOKEN) and the database_id in the configuration file.`)
  return 1
}

async function deploy(): Promise<number> {
  if (values.config !== undefined) {
    console.error('Set VAULT_CONFIG instead of --config: the migrations need the file too.')
    return 1
  }
  if (values['dry-run'] === true) return rehearse()
  if (!(await migrate('apply'))) {
    console.error('Nothing was deployed, because the migrations were not applied.')
    return 1
  }
  return runOnTerminal('deploy', '--minify', ...args)
}

process.exitCode = await deploy()
