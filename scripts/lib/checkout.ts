/** The folder of the checkout, in which commands work, and the one from which they were started. */

import { isAbsolute, join, relative, resolve } from 'node:path'

const CHECKOUT = resolve(import.meta.dirname, '../..')

/** npm sets it to the folder in which its user is, and goes to the checkout itself. */
const CALLER = 'INIT_CWD'

/** Goes to the checkout: a command reads its configuration and its `.dev.vars`. */
export function enterCheckout(): void {
  // Programs that npm has started in another package have inherited the variable.
  const isRunByNpm = process.env['npm_package_json'] === join(CHECKOUT, 'package.json')
  if (!isRunByNpm || process.cwd() !== CHECKOUT) process.env[CALLER] = process.cwd()
  process.chdir(CHECKOUT)
}

/** The path of a file that the command line names: it is relative to the folder in which the user is. */
export function callersPath(file: string): string {
  const path = resolve(process.env[CALLER] ?? '.', file)
  // Messages name it as the user has, if that is the same here.
  const here = relative('.', path) || '.'
  return here.startsWith('..') || isAbsolute(here) ? path : here
}
