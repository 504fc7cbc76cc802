/** Checks the configuration as the Worker does: with its own rules, on what Wrangler would give it. */

import { environment } from '../../src/environment.ts'
import { checkSettings, type Settings } from '../../src/settings.ts'
import { npmCommand, wranglerCommand } from '../lib/advice.ts'
import { DEV_VARS, findHiddenVars, MAKERS } from '../lib/dev-vars.ts'
import { CONFIG } from '../lib/wrangler.ts'
import { closestName } from './closest-name.ts'
import { ok, skipped, wrong, type Outcome } from './finding.ts'

/** The parts of the configuration file that are looked at. */
export interface Configuration {
  vars: Record<string, unknown>
  secrets?: { required?: string[] | undefined } | undefined
  d1_databases: { binding: string }[]
  ratelimits: { name: string }[]
  queues: { producers?: { binding: string; queue: string }[] | undefined }
  analytics_engine_datasets: { binding: string }[]
  durable_objects: { bindings: { name: string }[] }
  triggers: { crons?: string[] | undefined }
}

/** What the Worker would get besides the bindings. */
export interface Given {
  remote: boolean
  config: Configuration
  /** The variables, and the secrets whose values are known. */
  values: Readonly<Record<string, unknown>>
  /** The names of the deployed secrets, whose values nobody can read; null if they could not be listed. */
  deployed: readonly string[] | null
}

/** What the settings are, and what is wrong with them. */
export interface Checked {
  settings: Settings | null
  outcomes: Outcome[]
}

/** Values of secrets that nobody can read: any value of their form is as good. */
const STAND_INS: Readonly<Record<string, () => string>> = {
  ...MAKERS,
  LEGACY_FERNET_KEY: MAKERS.API_KEY_ENCRYPTION_KEY,
}

const NOT_LISTED = skipped('The secrets cannot be listed. Log in first: npx wrangler login')

/** When `wrangler.toml` has the jobs run. */
const EACH_MINUTE = '* * * * *'

const KNOWN = [...Object.keys(environment), 'ASSETS']

export function checkConfiguration(given: Given): Checked {
  const { settings, faults } = checkSettings(environmentOf(given))
  const missing = given.remote ? findMissingSecrets(given) : []
  const hidden = given.remote ? [] : findHidden(given)
  const named = [...findUnknown(given), ...missing, ...hidden]
  const unread = given.remote ? findUnreadable(given) : []
  // What depends on a secret that nobody can read may be right.
  const own = unread.length > 0 ? [] : faults.map((fault) => wrong(fault, placeOf(fault, given)))
  const outcomes = [...own, ...named]
  if (given.deployed === null) outcomes.push(NOT_LISTED)
  else if (unread.length > 0) outcomes.push(skipped(`Nobody can read ${unread.join(', ')}.`))
  else if (outcomes.length === 0) outcomes.push(ok(describe(given)))
  return { settings: faults.length > 0 ? null : settings, outcomes }
}

function describe({ remote }: Given): string {
  return remote
    ? 'The Worker accepts the variables, and each required secret is set.'
    : 'The Worker accepts every variable, secret and binding.'
}

/** Bindings that have these methods, and do nothing. */
function bindings(names: readonly string[], ...methods: string[]) {
  const binding = Object.fromEntries(methods.map((method) => [method, () => {}]))
  return names.map((name) => [name, binding] as const)
}

/** The environment of the Worker. Its bindings can do nothing. */
function environmentOf({ config, values, deployed }: Given): object {
  const secrets = (deployed ?? required(config)).map((name) => [name, STAND_INS[name]?.() ?? ''])
  return {
    ...values,
    ...Object.fromEntries(secrets),
    ...Object.fromEntries([
      ...bindings(
        config.d1_databases.map(({ binding }) => binding),
        'prepare',
      ),
      ...bindings(
        config.ratelimits.map(({ name }) => name),
        'limit',
      ),
      ...bindings(
        (config.queues.producers ?? []).map(({ binding }) => binding),
        'send',
      ),
      ...bindings(
        config.analytics_engine_datasets.map(({ binding }) => binding),
        'writeDataPoint',
      ),
      ...bindings(
        config.durable_objects.bindings.map(({ name }) => name),
        'getByName',
        'jurisdiction',
      ),
    ]),
  }
}

/** The secrets of the vault whose values cannot be made up. */
function findUnreadable({ config, deployed }: Given): string[] {
  const names = deployed ?? required(config)
  return names.filter((name) => STAND_INS[name] === undefined && KNOWN.includes(name))
}

function required({ secrets }: Configuration): string[] {
  return secrets?.required ?? []
}

/** Where to set the variable that a fault names. */
function placeOf(fault: string, { remote, config, values }: Given): string {
  const [first = '', ...others] = fault.match(/\b[A-Z][A-Z_]+\b/g) ?? []
  // Of variables that belong together, one that is missing.
  const isLacking = / needs |required together/.test(fault)
  const name = isLacking ? ([first, ...others].find((one) => !values[one]) ?? first) : first
  const inVars = `Set ${name} in [vars] of ${CONFIG}`
  if (name in config.vars) return remote ? `${inVars}.` : `${inVars}, or in ${DEV_VARS}.`
  const isSecret = name in MAKERS || required(config).includes(name)
  if (!isSecret) return `See ${name} in docs/configuration.md.`
  if (remote) return `Set it: ${wranglerCommand(`secret put ${name}`)}`
  const isMade = name in MAKERS && fault.includes('is not set')
  return isMade
    ? `This adds it to ${DEV_VARS}: ${npmCommand('dev', { remote })}`
    : `Set ${name} in ${DEV_VARS}.`
}

function findMissingSecrets({ config, deployed }: Given): Outcome[] {
  const missing = required(config).filter((name) => deployed?.includes(name) === false)
  return missing.map((name) =>
    wrong(`The secret ${name} is not set.`, `Set it: ${wranglerCommand(`secret put ${name}`)}`),
  )
}

/** The names in the configuration that the vault does not know. */
function findUnknown({ config }: Given): Outcome[] {
  const names = [...Object.keys(config.vars), ...required(config)]
  return names.filter((name) => !KNOWN.includes(name)).map((name) => unknown(name, CONFIG))
}

/** The names in `.dev.vars` that Wrangler passes to no Worker. */
function findHidden({ config }: Given): Outcome[] {
  const passed = [...required(config), ...Object.keys(config.vars)]
  return findHiddenVars(passed).map((name) =>
    KNOWN.includes(name)
      ? wrong(
          `The Worker does not get ${name} of ${DEV_VARS}.`,
          `Add it to [secrets] required in ${CONFIG}.`,
        )
      : unknown(name, DEV_VARS),
  )
}

function unknown(name: string, file: string): Outcome {
  const meant = closestName(name, KNOWN)
  const fix = meant === null ? `Remove it from ${file}.` : `Rename it in ${file}: ${meant}`
  return wrong(`The vault has no variable ${name}.`, fix)
}

/** Whether the jobs run: Cloudflare starts them. `npm run dev` does so in any case. */
export function checkJobs({ config }: Given): Outcome {
  const crons = config.triggers.crons ?? []
  if (crons.includes(EACH_MINUTE)) return ok('The jobs run every minute.')
  const fix = `Set crons = ["${EACH_MINUTE}"] in [triggers] of ${CONFIG}.`
  return wrong(
    'Nothing starts the jobs every minute: rotations, expiry and the second store need them.',
    fix,
  )
}

/** Whether each limiter is there. Without one, nothing is limited by it. */
export function checkLimiters(settings: Settings): Outcome {
  const { missingLimiters } = settings
  if (missingLimiters.length === 0) return ok('Each limiter is configured.')
  const names = missingLimiters.join(', ')
  const fix = `Add [[ratelimits]] of that name to ${CONFIG}, as in the wrangler.toml of this version.`
  return wrong(`Not configured, so that nothing is limited: ${names}`, fix)
}
