/** `npm run bench`: measures how fast the vault is compared with bare Workers, and what makes it slower. */

import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { benchOutage } from './bench/fresh/outage.ts'
import { benchStaleness } from './bench/fresh/staleness.ts'
import { benchZipf } from './bench/fresh/zipf.ts'
import { benchGrowth } from './bench/growth.ts'
import { measure, profileRoute, type BenchOptions } from './bench/http.ts'
import { drawChart } from './bench/http/chart.ts'
import { printFigures, summarize } from './bench/http/report.ts'
import { ROUTES } from './bench/http/routes.ts'
import { benchRewrap } from './bench/rewrap.ts'
import { benchSocket } from './bench/socket.ts'
import { benchStream } from './bench/stream.ts'
import { benchStart } from './bench/start.ts'
import { runCommand } from './lib/command.ts'

const USAGE = `Usage: npm run bench [-- http] [--routes GET,PUT] [--rounds 7] [--seconds 2] [--json] [--chart DIRECTORY]
       npm run bench -- profile ROUTE   CPU time of a route by function
       npm run bench -- growth          speed with 1,000, 100,000 and 1,000,000 users, with 1 and with 10 slots each
       npm run bench -- stream          50 MB through the relay, through a plain Worker, and straight from the provider
       npm run bench -- socket          1,000 messages over a WebSocket through the relay, and through a Worker that passes it on
       npm run bench -- start           time of the first request, and weight of the bundle by package and room
       npm run bench -- rewrap          speed of the rewrap job
       npm run bench -- staleness       the last use of a key in four isolates, after one of them has changed it
       npm run bench -- outage          uses while D1 is stopped for 25 s and for 90 s (10 minutes)
       npm run bench -- zipf            uses of the keys of 1, 100 and 10,000 owners, with keys at hand and without`

async function benchHttp(
  options: BenchOptions,
  { json, chart }: { json: boolean; chart: string | undefined },
) {
  const figures = summarize(await measure(options))
  if (json) console.log(JSON.stringify(figures, null, 2))
  else printFigures(figures)
  if (chart === undefined) return
  for (const theme of ['light', 'dark'] as const) {
    writeFileSync(`${chart}/speed-${theme}.svg`, drawChart(figures, theme))
  }
}

await runCommand(USAGE, async () => {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      routes: { type: 'string', default: Object.keys(ROUTES).join(',') },
      rounds: { type: 'string', default: '7' },
      seconds: { type: 'string', default: '2' },
      json: { type: 'boolean', default: false },
      chart: { type: 'string' },
    },
  })
  const [name = 'http', route, ...rest] = positionals
  const options = {
    rounds: Number(values.rounds),
    seconds: Number(values.seconds),
    users: 1_000,
    slots: 2,
    routes: values.routes.split(','),
  }
  if (rest.length > 0 || (route !== undefined) !== (name === 'profile')) return 2
  if (name === 'http') await benchHttp(options, { json: values.json, chart: values.chart })
  else if (name === 'profile') await profileRoute(route ?? '')
  else if (name === 'growth') await benchGrowth(options)
  else if (name === 'stream') await benchStream(options.rounds)
  else if (name === 'socket') await benchSocket(options.rounds)
  else if (name === 'start') await benchStart()
  else if (name === 'rewrap') await benchRewrap()
  else if (name === 'zipf') await benchZipf(options)
  else if (name === 'outage') await benchOutage()
  else if (name === 'staleness') return (await benchStaleness()) ? 0 : 1
  else return 2
  return 0
})
