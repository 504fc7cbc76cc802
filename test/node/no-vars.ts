/** The variables of an operator who sets none. */

import { readFileSync } from 'node:fs'

const config = readFileSync('wrangler.toml', 'utf8')
const [, vars = ''] = /^\[vars\]\n(.*?)^\[/ms.exec(config) ?? []

/** Each variable of wrangler.toml without a value, so that an operator's file does not affect the tests. */
export const NO_VARS: Record<string, string> = Object.fromEntries(
  Array.from(vars.matchAll(/^\w+/gm), ([name]) => [name, '']),
)
