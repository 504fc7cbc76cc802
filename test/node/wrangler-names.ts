/** The names in `wrangler.toml`. Loading Wrangler, which reads the file, takes longer than most tests. */

import { readFileSync } from 'node:fs'

const CONFIG = readFileSync('wrangler.toml', 'utf8')

const [, VARS = ''] = /^\[vars\]\n(.*?)(?=^\[)/ms.exec(CONFIG) ?? []

/** The variables of an operator who sets none, so that those of `wrangler.toml` do not affect the tests. */
export const NO_VARS: Readonly<Record<string, string>> = Object.fromEntries(
  Array.from(VARS.matchAll(/^([A-Z_]+) = /gm), ([, name]) => [name, '']),
)

/** All limiters, each with this limit. */
export function limitersWith(limit: number) {
  const names = Array.from(CONFIG.matchAll(/^name = "(.*_LIMITER)"$/gm), ([, name]) => name)
  const simple = { limit, period: 60 as const }
  return Object.fromEntries(
    names.map((name, index) => [name, { namespace_id: String(1 + index), simple }]),
  )
}
