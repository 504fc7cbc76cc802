/** What the commands share: help, errors, exit codes, and the folder in which they work. */

import {
  Command,
  CommanderError,
  Option,
  type CommandUnknownOpts,
} from '@commander-js/extra-typings'
import { VaultError } from '../../src/errors.ts'
import { enterCheckout } from './checkout.ts'
import { CONFIG } from './wrangler.ts'

/** Works on the deployed database instead of the local one. */
export const REMOTE = new Option(
  '--remote',
  'the deployed database instead of the local one',
).default(false)
/** Prints JSON for a program. */
export const JSON_OUTPUT = new Option('--json', 'prints JSON, for a program').default(false)
/** Answers the question that the command asks at a terminal. */
export const YES = new Option('--yes', 'asks nothing, for a script').default(false)

/** Makes the command that `npm run NAME` runs. Its caller adds arguments, options and subcommands. */
export function makeCommand(name: string, description: string) {
  return new Command(`npm run ${name} --`)
    .description(description)
    .helpOption('-h, --help', 'shows this help')
    .enablePositionalOptions()
    .helpCommand(false)
    .configureHelp({ optionDescription: describeOption })
    .configureOutput({ writeErr: (text) => console.error(text.trimEnd()) })
    .showHelpAfterError()
    .exitOverride()
    .hook('preSubcommand', refuseEarlyOptions)
}

/** An option before the name of a part belongs to the command, and the part would not see it. */
function refuseEarlyOptions(command: CommandUnknownOpts, part: CommandUnknownOpts): void {
  const early = command.options.find(
    (option) => command.getOptionValueSource(option.attributeName()) === 'cli',
  )
  if (early !== undefined) command.error(`error: write ${early.long} after ${part.name()}`)
}

/** The action of a command that returns its exit code. */
export function exitWith<Args extends unknown[]>(
  work: (...args: Args) => Promise<number> | number,
) {
  return async (...args: Args): Promise<void> => {
    process.exitCode = await work(...args)
  }
}

/**
 * Runs the command with the arguments of this process, in the folder of the checkout. `--help` prints the help to standard
 * output. For wrong arguments it prints the fault and the help, and sets the exit code 2. For an error it prints
 * the message, and sets 1.
 */
export async function runCommand(command: { parseAsync: () => Promise<unknown> }): Promise<void> {
  enterCheckout()
  await command.parseAsync().catch((error: Error) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2
      return
    }
    console.error(describeFault(error))
    process.exitCode = 1
  })
}

/** The description with the default, if the option takes a value. */
function describeOption({ description, defaultValue }: Option): string {
  return typeof defaultValue === 'string'
    ? `${description} (default: ${defaultValue})`
    : description
}

/** A place in a file that Wrangler could not read. */
interface Located {
  location: { line: number; column: number } | undefined
}

/** Prefers the cause of a VaultError: the error itself only says what a client may know. */
function describeFault(error: Error & Partial<Located>): string {
  const { message } =
    error instanceof VaultError && error.cause instanceof Error ? error.cause : error
  const { location } = error
  return location === undefined
    ? message
    : `${CONFIG}:${location.line}:${location.column}: ${message}`
}
