/** `npm run import -- --plain`: sends the keys of another store to a vault, where each user's key is encrypted. */

import { addAbortSignal, type Readable } from 'node:stream'
import { parseArgs } from 'node:util'
import { isProviderName } from '../../src/providers/table.ts'
import { isConfidentialUrl } from '../../src/shared/confidential-url.ts'
import { DEFAULT_SLOT } from '../../src/shared/slot.ts'
import { startCounter } from '../lib/progress.ts'
import { readPlainLines } from './plain-lines.ts'
import { PlainReport } from './plain-report.ts'
import { checkVault, sendLine } from './plain-send.ts'
import { workThrough } from './plain-stream.ts'
import { openVault } from './plain-vault.ts'
import type { Fields } from './record.ts'
import { readTokenFile } from './token-file.ts'

export const PLAIN_USAGE = `       npm run import -- --plain --url URL --token-file FILE [--provider NAME] [--[no-]verify] [--add-users] [--json]
         [--id-column NAME] [--key-column NAME] [--provider-column NAME] [--token-header NAME]

--plain sends keys that are not encrypted to the vault at URL. It reads them from a pipe: CSV with a header that has id and
key, or lines of an id, a comma and a key. The token in FILE needs the scope vault:save (MANAGE_SCOPE), and vault:users with
--add-users, which adds each user first. A key that is there already is left alone, so you can run it again at any time.`

const OPTIONS = {
  plain: { type: 'boolean' },
  url: { type: 'string' },
  'token-file': { type: 'string' },
  'token-header': { type: 'string', default: 'Authorization' },
  provider: { type: 'string' },
  verify: { type: 'boolean' },
  'add-users': { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  'id-column': { type: 'string', default: 'id' },
  'key-column': { type: 'string', default: 'key' },
  'provider-column': { type: 'string' },
} as const

const NO_FILE =
  '--plain reads the keys from a pipe, so that no file has them: the command of the other store | npm run import -- --plain …'

type Options = NonNullable<ReturnType<typeof readOptions>>

/** What the options mean; null if they are misused. */
function readOptions(args: readonly string[]) {
  const { values } = parseArgs({ args: [...args], options: OPTIONS, allowNegative: true })
  const { url, 'token-file': tokenFile, provider = DEFAULT_SLOT, ...options } = values
  const isSlot = provider === DEFAULT_SLOT || isProviderName(provider)
  const isChecking = options.verify !== undefined && provider === DEFAULT_SLOT
  if (url === undefined || tokenFile === undefined || !isSlot || isChecking) return null
  // With --provider, a column of that name may mean something else.
  const guessed = values.provider === undefined ? 'provider' : null
  const { 'provider-column': providerColumn = guessed } = options
  const fields = {
    id: options['id-column'],
    key: options['key-column'],
    provider,
    providerColumn,
  } satisfies Fields
  const { verify, json, 'add-users': addUsers, 'token-header': tokenHeader } = options
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
 * @throws Error that says why it ended early, and which lines are done
 */
export async function importPlain(
  input: Readable & { isTTY?: boolean },
  args: readonly string[],
): Promise<number> {
  const options = readOptions(args)
  if (options === null) return 2
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
