/** `npm run bench`: measures how fast the vault is compared with bare Workers, and what makes it slower. */

import { writeFileSync } from 'node:fs'
import { benchOutage } from './bench/fresh/outage.ts'
import { benchStaleness } from './bench/fresh/staleness.ts'
import { benchZipf } from './bench/fresh/zipf.ts'
import { benchGrowth } from './bench/growth.ts'
import { measure, profileRoute } from './bench/http.ts'
import { drawChart } from './bench/http/chart.ts'
import { printFigures, summarize } from './bench/http/report.ts'
import { ROUTES } from './bench/http/routes.ts'
import { benchRewrap } from './bench/rewrap.ts'
import { benchSocket } from './bench/socket.ts'
import { benchStream } from './bench/stream.ts'
import { benchStart } from './bench/start.ts'
import { callersPath } from './lib/checkout.ts'
import { exitWith, JSON_OUTPUT, makeCommand, runCommand } from './lib/command.ts'

interface Rounds {
  rounds: string
  seconds: string
}

const readRounds = ({ rounds, seconds }: Rounds) => ({
  rounds: Number(rounds),
  seconds: Number(seconds),
})

async function benchHttp(options: Rounds & { routes: string; json: boolean; chart?: string }) {
  const routes = options.routes.split(',')
  const figures = summarize(
    await measure({ ...readRounds(options), users: 1_000, slots: 2, routes }),
  )
  if (options.json) console.log(JSON.stringify(figures, null, 2))
  else printFigures(figures)
  if (options.chart === undefined) return
  for (const theme of ['light', 'dark'] as const) {
    writeFileSync(callersPath(`${options.chart}/speed-${theme}.svg`), drawChart(figures, theme))
  }
}

const bench = makeCommand(
  'bench',
  'Measures the vault on this machine, beside bare Workers. Each part has its own local database.',
)

const add = (name: string, description: string, options = {}) =>
  bench.command(name, options).description(description)
/** Adds a part that measures in rounds. */
const addRounds = (name: string, description: string, options = {}) =>
  add(name, description, options)
    .option('--rounds <count>', 'how often it measures', '7')
    .option('--seconds <seconds>', 'how long a round takes', '2')

addRounds('http', 'the routes, if no other part is named', { isDefault: true })
  .option('--routes <names>', 'some of the routes', Object.keys(ROUTES).join(','))
  .option('--chart <directory>', 'writes the charts into a folder')
  .addOption(JSON_OUTPUT)
  .action(benchHttp)
add('profile', 'CPU time of a route by function').argument('<route>').action(profileRoute)
addRounds('growth', 'speed with up to 1,000,000 users, with 1 and with 10 slots each').action(
  async (options) => benchGrowth(readRounds(options)),
)
addRounds(
  'stream',
  '50 MB through the relay, a plain Worker, and straight from the provider',
).action(async ({ rounds }) => benchStream(Number(rounds)))
addRounds('socket', '1,000 messages over a WebSocket, through the relay and a plain Worker').action(
  async ({ rounds }) => benchSocket(Number(rounds)),
)
addRounds('all', 'what docs/speed.md shows, one part after the other: half an hour').action(
  async (options) => {
    const rounds = readRounds(options)
    await benchHttp({
      ...options,
      routes: Object.keys(ROUTES).join(','),
      json: false,
      chart: 'docs',
    })
    await benchStream(rounds.rounds)
    await benchSocket(rounds.rounds)
    await benchStart()
    await benchGrowth(rounds)
  },
)
add('start', 'time of the first request, and weight of the bundle').action(benchStart)
add('rewrap', 'speed of the rewrap job').action(benchRewrap)
add('staleness', 'the last use of a key in four isolates after a change in one').action(
  exitWith(async () => ((await benchStaleness()) ? 0 : 1)),
)
add('outage', 'uses while D1 is stopped for 25 s and for 90 s: 10 minutes').action(benchOutage)
addRounds('zipf', 'uses of the keys of 1, 100 and 10,000 owners').action(async (options) =>
  benchZipf(readRounds(options)),
)

await runCommand(bench)
