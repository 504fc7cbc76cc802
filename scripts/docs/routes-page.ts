/** docs/routes.md: each route as one request to the running Worker, and its answer. */

import { createHash } from 'node:crypto'
import { OPERATIONS, type Operation } from '../lib/operations.ts'
import { createSender } from './exchange.ts'
import { CHAPTERS, type OtherStep, type RouteStep } from './story.ts'
import { startExampleVault } from './vault.ts'

const OPENING = `# Each route, with an example

\`npm run docs -- write\` makes this page: it starts the Worker, and sends it each of these requests in this order. So these are the vault's real answers, apart
from times and random ids. Headers that every answer has are left out, and lists of slots end after the third. [HTTP API](api.md) says what holds for all routes.

To try them, start a vault with teams, servers and the relay, and get a token of each kind. \`npm run dev\` adds the user \`demo\`, so there the first answer has
\`"created": false\`.

\`\`\`sh
npm run dev -- --var JWT_TEAM_CLAIM:org_id --var JWT_TEAM_ADMIN:org_role=admin \\
  --var MANAGE_SCOPE:vault --var MANAGE_CLIENTS:flask-app --var RELAY_SCOPE:relay
\`\`\`

\`\`\`sh
VAULT=http://localhost:8787
TOKEN=$(npm run -s token -- demo --scope relay --client chat)
ADMIN_TOKEN=$(npm run -s token -- demo --team acme --admin)
MEMBER_TOKEN=$(npm run -s token -- jane --team acme)
SERVER_TOKEN=$(npm run -s token -- flask-app --client flask-app \\
  --scope 'vault:users vault:support vault:save vault:export')
\`\`\`

The keys are made up. The provider that answers here accepts them. A real one does not: add \`?verify=false\` to a save and to
\`assign\`, and expect the provider's 401 from the relay.
`

const WHO = {
  owner: 'the user',
  member: 'a member',
  admin: 'an admin',
  users: 'a server with the scope `users`',
  support: 'a server with the scope `support`',
  save: 'a server with the scope `save`',
  export: 'a server with the scope `export`',
}

const OR = new Intl.ListFormat('en', { type: 'disjunction' })

/** The text of the page. */
export async function renderRoutes(): Promise<string> {
  const vault = await startExampleVault()
  try {
    const send = createSender(vault)
    const parts = [OPENING, renderIndex()]
    for (const { title, about, steps } of CHAPTERS) {
      parts.push(`## ${title}\n\n${about}\n`)
      for (const step of steps) {
        const { heading, method } = describe(step)
        // oxlint-disable-next-line no-await-in-loop -- each needs what those before it have done
        const { status, shown } = await send(method, step)
        if ('operation' in step && status !== 200) throw new Error(`${step.operation}: ${shown}`)
        parts.push(`${heading}\n\n${shown}\n`)
      }
    }
    return steady(parts.join('\n'))
  } finally {
    await vault.close()
  }
}

function renderIndex(): string {
  const rows = CHAPTERS.flatMap(({ steps }) =>
    steps.flatMap((step) => {
      if (!('operation' in step)) return []
      const { method, path, summary } = operationOf(step)
      const anchor = summary.toLowerCase().replaceAll(/[',]/g, '').replaceAll(' ', '-')
      return `| \`${method.toUpperCase()} ${path}\` | [${summary}](#${anchor}) |`
    }),
  )
  return `## Routes\n\n| call | what it does |\n| --- | --- |\n${rows.join('\n')}\n`
}

function describe(step: RouteStep | OtherStep): { heading: string; method: string } {
  const see = step.see === undefined ? '' : ` See ${step.see}.`
  if (!('operation' in step)) {
    return { heading: `### ${step.title}\n\n${step.about}${see}`, method: step.method }
  }
  const { method, path, summary, description = '', tokens, answer } = operationOf(step)
  const who =
    tokens.length === 0 ? 'no token' : `token of ${OR.format(tokens.map((token) => WHO[token]))}`
  const facts = `\`${method.toUpperCase()} ${path}\` · ${who} · answer \`${answer}\``
  const text = `${description}${see}`.trim()
  return { heading: `### ${summary}\n\n${facts}${text === '' ? '' : `\n\n${text}`}`, method }
}

function operationOf({ operation }: RouteStep): Operation {
  const found = OPERATIONS.find(({ operationId }) => operationId === operation)
  if (found === undefined) throw new Error(`There is no route ${operation}`)
  return found
}

/** The page with stand-ins for what differs from run to run: times, and random ids. */
function steady(page: string): string {
  const ids = new Map<string, string>()
  return page
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:(\d\d:\d\d\.\d{3})Z/g, (_time, rest: string) =>
      rest === '59:59.999' ? '2026-12-01T09:59:59.999Z' : '2026-12-01T09:30:00.000Z',
    )
    .replaceAll(/"\d{4}-\d\d-\d\d"/g, '"2026-12-01"')
    .replaceAll(/\b(?:[0-9a-f]{32}|(?<=Z\.)[0-9a-f]{8,16})\b/g, (id) => {
      const stand = createHash('sha256').update(String(ids.size)).digest('hex').slice(0, id.length)
      return ids.get(id) ?? (ids.set(id, stand), stand)
    })
}
