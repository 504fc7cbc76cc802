/** Commands for an operator to run, on the configuration and the database of the command that names them. */

import { CONFIG } from './wrangler.ts'

/** `wrangler ...args` */
export function wranglerCommand(args: string): string {
  return `npx wrangler ${args} --config ${quote(CONFIG)}`
}

/** `npm run script`. The arguments of a script follow `--`. */
export function npmCommand(script: string, { remote }: { remote: boolean }): string {
  const config = CONFIG === 'wrangler.toml' ? '' : `VAULT_CONFIG=${quote(CONFIG)} `
  const separator = script.includes(' -- ') ? '' : ' --'
  return `${config}npm run ${script}${remote ? `${separator} --remote` : ''}`
}

function quote(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`
}

/** An error with the command that mends it. */
export class Advised extends Error {
  readonly reason: string
  /** What to do, with the command. */
  readonly advice: string

  constructor(reason: string, advice: string) {
    super(`${reason} ${advice}`)
    this.reason = reason
    this.advice = advice
  }
}
