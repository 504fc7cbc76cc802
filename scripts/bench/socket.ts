/** Measures a WebSocket through the relay, and through a Worker that only passes it on. They take turns. */

import { once } from 'node:events'
import { WebSocket } from 'ws'
import { median } from './http/report.ts'
import { startWorkers } from './http/workers.ts'

const MESSAGES = 1_000
/** As long as an event of a model's text. */
const MESSAGE = 'x'.repeat(1_000)

/** Prints the CPU time of 1,000 messages that each come back, and their ratio. */
export async function benchSocket(rounds: number): Promise<void> {
  const workers = await startWorkers({ users: 1, slots: 2 })
  const [user] = workers.users
  const headers = { Authorization: user?.authorization ?? '' }
  const figures = { passed: new Array<number>(), relayed: new Array<number>() }
  const urls = {
    passed: `${workers.urls['caller']}/socket`,
    relayed: `${workers.urls['vault']}/relay/openai/v1/realtime`,
  }
  for (let round = -1; round < rounds; round += 1) {
    for (const kind of ['passed', 'relayed'] as const) {
      // Otherwise most of the time would go into compression.
      const options = { headers, perMessageDeflate: false }
      const socket = new WebSocket(urls[kind].replace('http', 'ws'), options)
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      await once(socket, 'open')
      const before = workers.cpu('vault')
      // oxlint-disable-next-line no-await-in-loop
      await exchange(socket)
      if (round >= 0) figures[kind].push((workers.cpu('vault') - before) / 1_000)
      socket.terminate()
    }
  }
  const ratios = figures.relayed.map((ms, index) => ms / (figures.passed[index] ?? ms))
  console.log(`CPU of ${MESSAGES} messages of 1 kB that come back: ${inMs(figures.passed)} passed on, \
${inMs(figures.relayed)} through the relay.
Ratio: ${median(ratios).toFixed(2)} (${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}).`)
  await workers.close()
}

function inMs(values: readonly number[]): string {
  return `${median(values).toFixed(0)} ms`
}

/** Sends the messages, each after the previous one has come back. */
async function exchange(socket: WebSocket): Promise<void> {
  for (let index = 0; index < MESSAGES; index += 1) {
    const answered = once(socket, 'message')
    socket.send(MESSAGE)
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await answered
  }
}
