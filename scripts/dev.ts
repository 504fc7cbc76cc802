/** `npm run dev`: makes what is missing (secrets, tables, a demo user), then starts `wrangler dev`. */

import { once } from 'node:events'
import { utimesSync, watchFile } from 'node:fs'
import { createInterface } from 'node:readline'
import { addUser } from '../src/keys/users.ts'
import { printBanner } from './lib/banner.ts'
import { exitWith, makeCommand, runCommand } from './lib/command.ts'
import { withDatabase } from './lib/database.ts'
import { requireLocal, saveDemoKeys } from './lib/demo.ts'
import { completeDevVars, DEV_VARS, findHiddenVars, readDevVar } from './lib/dev-vars.ts'
import { filterWarnings, isReload, isShown } from './lib/dev-output.ts'
import { readPort, requireFreePort } from './lib/port.ts'
import { onStop } from './lib/stop.ts'
import { CONFIG, readUrl, runWrangler, startDevServer, type Wrangler } from './lib/wrangler.ts'

const DEFAULT_PORT = '8787'
const DEMO_USER = 'demo'

/** workerd, which runs the Worker here, has no jurisdictions: the Worker would refuse this variable. */
const IGNORED = 'DELETIONS_JURISDICTION'

async function readVars() {
  // It takes most of a second to load. A busy port is reported before.
  const { unstable_readConfig: readConfig } = await import('wrangler')
  return readConfig({ config: CONFIG }, { hideWarnings: true })
}

async function reportIgnored(): Promise<void> {
  const { vars } = await readVars()
  if (!(readDevVar(IGNORED) ?? vars[IGNORED])) return
  console.log(`${IGNORED} is ignored: the local runtime has no jurisdictions.`)
}

/** Makes the secrets that are missing, and reports those that the Worker does not get. */
async function prepareDevVars(): Promise<void> {
  const { secrets, vars } = await readVars()
  const required = secrets?.required ?? []
  const added = completeDevVars(required)
  if (added.length > 0) console.log(`Added to ${DEV_VARS}: ${added.join(', ')}`)
  for (const name of findHiddenVars([...required, ...Object.keys(vars)])) {
    console.error(
      `The Worker does not get ${name} of ${DEV_VARS}. To pass it on, add it to [secrets] required in ${CONFIG}.`,
    )
  }
}

/** Does what Cloudflare does for a deployed Worker: runs its Cron Trigger, every minute. */
function runJobs(url: string): NodeJS.Timeout {
  const runJob = () => {
    fetch(`${url}/cdn-cgi/local/scheduled`).catch((error: unknown) => {
      if (!isStopping) console.error(`The scheduled job could not be started: ${String(error)}`)
    })
  }
  runJob()
  return setInterval(runJob, 60_000)
}

/** Has the Worker reloaded with the changed `.dev.vars`. */
async function reloadDevVars(): Promise<void> {
  console.log(`${DEV_VARS} has changed. The Worker reloads with it.`)
  await prepareDevVars()
  // Wrangler watches its configuration file alone. When that one changes, it reads both.
  utimesSync(CONFIG, new Date(), new Date())
}

function watchDevVars(): void {
  watchFile(DEV_VARS, { interval: 500 }, () => {
    reloadDevVars().catch((error: unknown) => console.error(String(error)))
  })
}

async function printWarnings({ stderr }: Wrangler): Promise<void> {
  const isWanted = filterWarnings()
  for await (const line of createInterface({ input: stderr })) {
    if (isWanted(line)) console.error(line)
  }
}

/** Prints what Wrangler prints, and the banner when the Worker is up. */
async function follow({ stdout }: Wrangler, hasDemo: boolean): Promise<void> {
  let greet: (() => Promise<void>) | undefined
  for await (const line of createInterface({ input: stdout })) {
    if (isShown(line)) console.log(line)
    const url = readUrl(line)
    if (url !== undefined) {
      watchDevVars()
      greet = createGreeting(url, hasDemo)
    }
    if (url !== undefined || isReload(line)) await greet?.()
  }
}

/**
 * Returns a function that prints the banner, unless the last one still holds. It has the job run as soon as the
 * Worker's configuration is valid, and saves the demo keys as soon as it accepts the demo user.
 */
function createGreeting(url: string, hasDemo: boolean): () => Promise<void> {
  let status = 500
  let greetedWith: string | undefined
  let jobs: NodeJS.Timeout | undefined
  let demo: Promise<void> | undefined
  return async () => {
    const secret = readDevVar('JWT_SECRET_KEY')
    if (status !== 500 && secret === greetedWith) return
    status = await printBanner({ url, userId: DEMO_USER })
    greetedWith = secret
    if (status !== 500) jobs ??= runJobs(url)
    if (hasDemo && status === 200) await (demo ??= printDemo(url))
  }
}

async function printDemo(url: string): Promise<void> {
  console.log(await saveDemoKeys({ url, userId: DEMO_USER }).catch(String))
}

let wrangler: Wrangler | undefined
let isStopping = false
onStop(() => {
  isStopping = true
  if (wrangler === undefined) process.exit(1)
  wrangler.kill('SIGTERM')
})

/** Starts the Worker, and waits for its end. @returns its exit code */
async function runDev({ port, ip, demo }: { port: string; ip?: string; demo: boolean }) {
  const args = process.argv.slice(2).filter((arg) => arg !== '--demo')
  await requireFreePort(readPort(port), 'dev', ip)
  const passed = demo ? requireLocal(args, (await readVars()).d1_databases) : args
  await prepareDevVars()
  await reportIgnored()
  await runWrangler('d1', 'migrations', 'apply', 'DB', '--local')
  await withDatabase({ remote: false }, async (db) => addUser({ db }, DEMO_USER))
  wrangler = startDevServer([...passed, '--var', `${IGNORED}:`])
  const exited = once(wrangler, 'exit')
  void printWarnings(wrangler)
  await follow(wrangler, demo)
  const [code] = await exited
  return typeof code === 'number' ? code : 0
}

const dev = makeCommand(
  'dev',
  `Starts the vault on this machine. It adds what is missing: secrets in ${DEV_VARS}, the local database, the user ${DEMO_USER}.`,
)
  .option('--port <port>', 'the port of the vault', DEFAULT_PORT)
  .option('--ip <address>', 'the address that it listens on, otherwise localhost')
  .option('--demo', `gives the user ${DEMO_USER} made-up keys, one in each state`, false)
  .allowUnknownOption()
  .allowExcessArguments()
  .addHelpText('after', '\nIt also takes the options of wrangler dev: npx wrangler dev --help')
  .action(exitWith(runDev))

await runCommand(dev)
process.exit()
