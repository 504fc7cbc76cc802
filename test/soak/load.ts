/** Sends the mixed traffic in a closed loop, and counts the answers. */

import { once } from 'node:events'
import { Agent, request, type IncomingMessage } from 'node:http'
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import { randomOf } from '../../scripts/lib/random.ts'
import { setTimeout as sleep } from 'node:timers/promises'
import { nameOwner } from './owners.ts'
import { createUser, draw, NAMES, type Asked, type User } from './traffic.ts'

/** Some owners send far more than others: of a thousand, the first one sends a tenth of all requests. */
const SKEW = 3

/** The answers to one kind of request. */
export interface Tally {
  /** In µs. */
  times: RecordableHistogram
  /** How many answers had each status. 0 stands for a connection that failed. */
  statuses: Map<number, number>
  /** Answers of the server's faults, and connections that failed. */
  faults: number
  /** Answers with another status than the kind has. */
  wrong: number
}

/** The tallies by kind. */
export type Tallies = Map<string, Tally>

interface Load {
  url: string
  secret: string
  connections: number
  /** The owners whose requests are sent. Each has one connection, so that they come one after the other. */
  owners: number
  /** Whether the owners have a key of OpenAI from the start. */
  isSeeded: boolean
  /** The most requests in a second. */
  perSecond: number
  seed: number
  /** Whether the load goes on. */
  goesOn: () => boolean
}

/** Sends requests over each connection, one after the other, while `goesOn`. */
export async function sendLoad(load: Load): Promise<Tallies> {
  const { url, connections, seed, goesOn } = load
  const tallies = new Map(NAMES.map((name) => [name, createTally()]))
  const run = async (connection: number) => {
    const random = randomOf(`${seed} connection ${connection}`)
    const next = chooseUser(load, connection, random)
    const pace = paceOf(load, connection)
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    while (goesOn()) {
      await pace()
      const user = await next()
      const { kind, ...asked } = draw(user, random)
      await measure(tallies.get(kind), asked, async () => send(url, user, asked, agent))
    }
    agent.destroy()
  }
  await Promise.all(Array.from({ length: connections }, async (_, index) => run(index)))
  return tallies
}

/** Chooses among the connection's owners, again and again. */
function chooseUser(
  { connections, owners, isSeeded, secret }: Load,
  connection: number,
  random: () => number,
): () => Promise<User> {
  const users = new Map<number, User>()
  const own = Math.ceil((owners - connection) / connections)
  return async () => {
    const index = connection + connections * Math.floor(own * random() ** SKEW)
    const user = users.get(index) ?? (await createUser(nameOwner(index), secret, isSeeded))
    users.set(index, user)
    return user
  }
}

/** Waits until the connection may send its next request. */
function paceOf({ connections, perSecond }: Load, connection: number): () => Promise<void> {
  const pause = (connections / perSecond) * 1_000
  let due = performance.now() + (pause * connection) / connections
  return async () => {
    const left = due - performance.now()
    if (left > 0) await sleep(left)
    due = Math.max(due, performance.now() - pause) + pause
  }
}

function createTally(): Tally {
  return { times: createHistogram(), statuses: new Map(), faults: 0, wrong: 0 }
}

async function measure(
  tally: Tally | undefined,
  { statuses, onOk }: Asked,
  work: () => Promise<number>,
): Promise<void> {
  if (tally === undefined) return
  const startedAt = performance.now()
  const status = await work().catch(() => 0)
  tally.times.record(Math.max(1, Math.round((performance.now() - startedAt) * 1_000)))
  tally.statuses.set(status, (tally.statuses.get(status) ?? 0) + 1)
  if (status === 0 || status >= 500) tally.faults += 1
  else if (!statuses.includes(status)) tally.wrong += 1
  if (status === 200) onOk?.()
}

/** Sends one request, and reads the answer to its end. @returns the status */
async function send(
  url: string,
  user: User,
  { method, path, body, headers }: Asked,
  agent: Agent,
): Promise<number> {
  const sent = request(`${url}${path}`, {
    method,
    agent,
    headers: {
      Authorization: user.authorization,
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
  })
  const answered = once(sent, 'response')
  sent.end(body)
  const [response]: IncomingMessage[] = await answered
  if (response === undefined) return 0
  response.resume()
  await once(response, 'end')
  return response.statusCode ?? 0
}
