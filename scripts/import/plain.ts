/** `npm run import -- --plain`: sends the keys of another store to a vault, where each user's key is encrypted. */

import { addAbortSignal, type Readable } from 'node:stream'
import { isProviderName } from '../../src/providers/table.ts'
import { isConfidentialUrl } from '../../src/shared/confidential-url.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { callersPath } from '../lib/checkout.ts'
import { JSON_OUTPUT, makeCommand } from '../lib/command.ts'
import { startCounter } from '../lib/progress.ts'
import { readPlainLines } from './plain-lines.ts'
import { PlainReport } from './plain-report.ts'
import { checkVault, sendLine } from './plain-send.ts'
import { workThrough } from './plain-stream.ts'
import { openVault } from './plain-vault.ts'
import type { Fields } from './record.ts'
import { readTokenFile } from './token-file.ts'

const DETAILS = `
The token needs the scope vault:save (MANAGE_SCOPE), and vault:users with --add-users. A key that is there already is left
alone, so you can run the import again at any time.`

/** The command line of `--plain`. */
export function makePlainCommand() {
  return makeCommand(
    'import',
    `With --plain: sends keys that are not encrypted to the vault at a URL. It reads them from a pipe, so that no file has them: CSV with a header that has id and key, or lines of an id, a comma and a key.`,
  )
    .usage('--plain --url <url> --token-file <file> [options]')
    .option('--plain', 'sends keys that are not encrypted')
    .requiredOption('--url <url>', 'the vault: https://…')
    .requiredOption('--token-file <file>', 'the file with the access token')
    .option('--token-header <name>', 'the header for the token', 'Authorization')
    .option('--provider <name>', "the slot of keys without a provider, otherwise the plain route's")
    .option('--verify', 'has each key checked with its provider')
    .option('--no-verify', 'has no key checked')
    .option('--add-users', 'adds each user first', false)
    .option('--id-column <name>', 'the column of the user id', 'id')
    .option('--key-column <name>', 'the column of the key', 'key')
    .option('--provider-column <name>', 'the column of the provider, otherwise provider')
    .addOption(JSON_OUTPUT)
    .addHelpText('after', DETAILS)
}

const NO_FILE =
  '--plain reads the keys from a pipe, so that no file has them: the command of the other store | npm run import -- --plain …'

type Options = ReturnType<typeof readOptions>

/** What the options mean. @throws CommanderError if they are misused */
function readOptions(args: readonly string[]) {
  const command = makePlainCommand()
  const { url, provider = DEFAULT_SLOT, ...options } = command.parse(args, { from: 'user' }).opts()
  if (provider !== DEFAULT_SLOT && !isProviderName(provider)) {
    command.error(`error: --provider ${provider}: must be the name of a provider`)
  }
  if (options.verify !== undefined && provider === DEFAULT_SLOT) {
    command.error('error: --verify and --no-verify need --provider')
  }
  // With --provider, a column of that name may mean something else.
  const guessed = provider === DEFAULT_SLOT ? 'provider' : null
  const { idColumn: id, keyColumn: key, providerColumn = guessed } = options
  const fields = { id, key, provider, providerColumn } satisfies Fields
  const { verify, json, addUsers, tokenHeader } = options
  const tokenFile = callersPath(options.tokenFile)
  return { url: readUrl(url), tokenFile, tokenHeader, addUsers, verify, json, fields }
}

/** The URL of the vault without a slash at its end. @throws Error that does not show it: it may have a password */
function readUrl(text: string): string {
  const url = isConfidentialUrl(text) ? URL.parse(text) : null
  if (url !== null && url.search === '' && url.hash === '') return url.href.replace(/\/+$/, '')
  throw new Error(
    '--url must be the https: URL of the vault, or an http: URL of localhost, without a password and a query',
  )
}

/**
 * Reads the keys from `input`, sends them, and prints the report.
 *
 * @returns the exit code
 * @throws CommanderError if the arguments are wrong
 * @throws Error that says why it ended early, and which lines are done
 */
export async function importPlain(
  input: Readable & { isTTY?: boolean },
  args: readonly string[],
): Promise<number> {
  const options = readOptions(args)
  if (input.isTTY === true) throw new Error(NO_FILE)
  const report = new PlainReport()
  const stop = new AbortController()
  const interrupt = () => stop.abort(new Error('The import was interrupted.'))
  process.once('SIGINT', interrupt)
  const firstOpen = await sendAll(input, options, { report, stop })
    .catch((error: unknown) => {
      throw stop.signal.aborted ? stop.signal.reason : error
    })
    .finally(() => process.off('SIGINT', interrupt))
  if (report.read > 0) {
    console.log(options.json ? JSON.stringify(report.toJson(), null, 2) : report.describe())
  }
  if (firstOpen !== null) throw sayWhere(stop.signal.reason, firstOpen)
  if (report.read === 0) throw new Error('The standard input has no users')
  return report.isClean ? 0 : 1
}

/** @returns the first line that is not done; null if all are */
async function sendAll(
  input: Readable,
  { url, tokenHeader, tokenFile, addUsers, verify, fields }: Options,
  { report, stop }: { report: PlainReport; stop: AbortController },
): Promise<number | null> {
  const progress = startCounter('Sending')
  const send = await openVault({
    url,
    tokenHeader,
    readToken: async () => readTokenFile(tokenFile),
    signal: stop.signal,
    onWait: (seconds) => {
      report.waitedSeconds += seconds
      progress.move(report.read, 'It waits for a rate limit of the vault.')
    },
    onFault: (fault) => progress.move(report.read, `It tries again after a fault: ${fault}.`),
  })
  const sending = { send, addUsers, verify }
  await checkVault(sending)
  console.error(`Sends the keys to the vault at ${url}.`)
  const firstOpen = await workThrough(readPlainLines(addAbortSignal(stop.signal, input), fields), {
    work: async (line) => sendLine(line, sending),
    onOutcome: (line, outcome) => {
      report.count(line, outcome)
      progress.move(report.read)
    },
    stop,
  })
  progress.stop()
  return firstOpen
}

function sayWhere(reason: Error, firstOpen: number): Error {
  const again = 'You can run the import again: it leaves the keys alone that are there.'
  const done = firstOpen > 1 ? `Every line before line ${firstOpen} is done. ` : ''
  return new Error(`${reason.message}\n${done}${again}`, { cause: reason })
}
