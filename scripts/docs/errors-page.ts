/** docs/errors.md: each error code, with the routes that answer with it, and what to show a user. */

import { readFileSync } from 'node:fs'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import { namesIn } from '../../src/shared/json.ts'
import { OPERATIONS, type Operation } from '../lib/operations.ts'
import { renderTexts } from './error-texts.ts'
import { ERROR_WORDS } from './error-words.ts'

const AGAIN = { at_once: 'at once', wait: 'later', next_period: 'next period', never: 'no' }

/** The text of the page. */
export function renderErrors(): string {
  const template = readFileSync('scripts/docs/errors.md', 'utf8')
  return template.replace('{{codes}}', renderCodes()).replace('{{texts}}', renderTexts())
}

function renderCodes(): string {
  const byStatus = namesIn(CODES).toSorted((one, other) => CODES[one].status - CODES[other].status)
  const rows = byStatus.map((code) => {
    const { status, retry = 'never' } = CODES[code]
    const { when } = ERROR_WORDS[code]
    return `| ${status} | \`${code}\` | ${AGAIN[retry]} | ${when} | ${nameSources(code)} |`
  })
  const head = '| status | `code` | again | when | from |\n| --- | --- | --- | --- | --- |'
  return `${head}\n${rows.join('\n')}`
}

/** Routes that have something in common, as a reader thinks of them. */
const GROUPS: readonly [name: string, has: (operation: Operation) => boolean][] = [
  ['every route', () => true],
  ['every route with a token', ({ tokens }) => tokens.length > 0],
  ['the routes of users and teams', ({ tokens }) => tokens.some(isPersons)],
  ['the routes that take a server', isServers],
  [
    'the routes that take a server, for one user or team',
    (route) => isServers(route) && route.path.includes(':'),
  ],
  ['the routes of a slot', ({ path }) => path.includes(':provider')],
  ['the routes of teams', ({ tokens }) => tokens.some((token) => token in TEAMS)],
  ['the routes with the scope `support`', ({ tokens }) => tokens.includes('support')],
  ['the routes with the scope `users`', ({ tokens }) => tokens.includes('users')],
  ['changes of a key', ({ tags }) => tags === 'requires' || tags === 'both'],
  ['the routes with a query', ({ query }) => query !== 'None'],
  ['the routes with a body', ({ body }) => body !== 'None'],
  ['saves', ({ body }) => body === 'KeyBody' || body === 'SlotBody'],
  ['saves in a slot', ({ body }) => body === 'SlotBody'],
  ['`PATCH` of a slot', ({ body }) => body === 'LimitsBody'],
  ['`verify`', ({ path }) => path.endsWith('/verify')],
  ['`assign`', ({ path }) => path.endsWith('/assign')],
]

const TEAMS = { member: true, admin: true }
const isPersons = (token: Operation['tokens'][number]) => token === 'owner' || token in TEAMS

function isServers({ tokens }: Operation): boolean {
  return tokens.some((token) => !isPersons(token))
}

/** Which routes and other doors answer with the code. */
function nameSources(code: ErrorCode): string {
  const isAnswered = ({ codes }: Operation) => codes.includes(code)
  const groups = GROUPS.map(([name, has]) => ({ name, all: OPERATIONS.filter(has) }))
  const whole = groups.filter(({ all }) => all.every(isAnswered))
  const names: string[] = []
  let left = OPERATIONS.filter(isAnswered)
  for (const { name, all } of whole.toSorted((one, other) => other.all.length - one.all.length)) {
    const rest = left.filter((operation) => !all.includes(operation))
    if (rest.length < left.length) names.push(name)
    left = rest
  }
  const calls = left.map(({ method, path }) => `\`${method.toUpperCase()} ${path}\``)
  const doors = (ERROR_WORDS[code].doors ?? []).map((door) => `the ${door}`)
  return [...names, ...calls, ...doors].join(', ')
}
