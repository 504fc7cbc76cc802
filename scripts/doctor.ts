/** `npm run doctor`: looks at everything that the vault needs, and says what is wrong and what to do. */

import { addBase64 } from './doctor/base64.ts'
import { checkConfiguration, type Given } from './doctor/configuration.ts'
import { examine, type Asked } from './doctor/examine.ts'
import { describe } from './doctor/finding.ts'
import { isLocal, LOCAL_URL, userOf } from './doctor/running-vault.ts'
import { readTokenFile } from './import/token-file.ts'
import { callersPath } from './lib/checkout.ts'
import { exitWith, JSON_OUTPUT, makeCommand, REMOTE, runCommand, YES } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { DEV_VARS } from './lib/dev-vars.ts'
import { announce } from './lib/question.ts'
import { CONFIG, runWrangler } from './lib/wrangler.ts'

const doctor = makeCommand(
  'doctor',
  'Looks at the configuration, the database, the keys and what is around them, and says what is wrong and what to do.',
)
  .addOption(REMOTE)
  .option('--url <url>', `the vault that runs, otherwise ${LOCAL_URL} without --remote`)
  .option('--token-file <file>', 'the access token of a user, to save a made-up key at --url')
  .addOption(YES)
  .addOption(JSON_OUTPUT)
  .addHelpText(
    'after',
    `
It changes nothing that stays. Without --remote it saves a made-up key in the local database, and deletes it. With --token-file
it does so at --url for the user of the token. It asks before, unless the vault is on this machine.
Exit code 1: something is wrong.`,
  )

type Options = ReturnType<typeof doctor.opts>

async function readGiven({ remote }: Options): Promise<Given> {
  // Loading it takes most of a second.
  const { unstable_readConfig: readConfig, unstable_getVarsForDev: getVars } =
    await import('wrangler')
  const config = readConfig({ config: CONFIG }, { hideWarnings: true })
  const { vars, secrets } = config
  if (remote) return { remote, config, values: vars, deployed: await listSecrets() }
  const local = getVars(CONFIG, undefined, vars, undefined, true, secrets)
  const values = Object.entries(local).map(([name, binding]) => [
    name,
    'value' in binding ? binding.value : null,
  ])
  return { remote, config, values: Object.fromEntries(values), deployed: [] }
}

async function listSecrets(): Promise<string[] | null> {
  const list = await runWrangler('secret', 'list', '--format', 'json').catch(() => null)
  if (list === null) return null
  const secrets: { name: string }[] = JSON.parse(list)
  return secrets.map(({ name }) => name)
}

async function readAsked(options: Options, given: Given): Promise<Asked> {
  const { remote, url, tokenFile } = options
  const guessed = remote ? null : { url: LOCAL_URL, isGuessed: true }
  const vault = url === undefined ? guessed : { url: readUrl(url), isGuessed: false }
  if (tokenFile === undefined) return { remote, vault, saver: null }
  if (vault === null) return doctor.error('error: --token-file needs --url')
  const token = await readTokenFile(callersPath(tokenFile))
  const { settings } = checkConfiguration(given)
  const user = userOf(token, settings)
  const what = `Saves a made-up key for the user ${user} at ${vault.url}, and deletes it.`
  await announce(what, { asks: !isLocal(vault.url), ...options })
  return { remote, vault, saver: { token, user } }
}

function readUrl(url: string): string {
  if (!/^https?:/.test(url) || !URL.canParse(url))
    doctor.error('error: --url must be an https: URL')
  return url.replace(/\/+$/, '')
}

doctor.action(
  exitWith(async (options: Options) => {
    addBase64()
    const given = await readGiven(options)
    const findings = await examine(given, await readAsked(options, given), withDatabase)
    const isWell = findings.every(({ state }) => state !== 'wrong')
    if (options.json) {
      console.log(JSON.stringify({ ok: isWell, configuration: CONFIG, checks: findings }, null, 2))
    } else {
      console.log(describe(findings))
      const files = options.remote ? `${CONFIG} was` : `${CONFIG} and ${DEV_VARS} were`
      const verdict = isWell ? 'Nothing is wrong.' : 'Something is wrong: see the lines above.'
      console.log(`\n${verdict} ${files} read.`)
    }
    return isWell ? 0 : 1
  }),
)

await runCommand(doctor)
