/** Measures a stream of 50 MB through the relay, through a plain Worker and straight from the provider, which take turns. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { send } from './http/load.ts'
import { median } from './http/report.ts'
import { startWorkers } from './http/workers.ts'

/** A download by curl. */
interface Download {
  firstByteMs: number
  mbPerSecond: number
}

/** Where the stream comes through, and its downloads with the CPU time of the Workers. */
interface Way {
  to: string
  url: string
  downloads: (Download & { cpuMs: number })[]
}

/** Prints the time to the first byte, the throughput, the vault's CPU time, and its memory over the rounds. */
export async function benchStream(rounds: number): Promise<void> {
  const workers = await startWorkers({ users: 1, slots: 2 })
  const { urls, users } = workers
  const headers = ['-H', `Authorization: ${users[0]?.authorization}`]
  const ways: Way[] = [
    { to: 'the provider', url: `${urls['provider']}/big`, downloads: [] },
    { to: 'a plain Worker', url: `${urls['direct']}/big`, downloads: [] },
    { to: 'the relay', url: `${urls['vault']}/relay/openai/big`, downloads: [] },
    { to: 'the relay, its key at hand', url: `${urls['hot']}/relay/openai/big`, downloads: [] },
  ]
  // A Worker that has answered few requests has not been compiled yet.
  for (const { url } of ways) {
    const { origin, pathname } = new URL(url)
    const load = { method: 'GET', path: pathname.replace('/big', '/v1/models'), users } as const
    // oxlint-disable-next-line no-await-in-loop -- one after the other
    await send({ ...load, url: origin }, 2)
  }
  const memory: number[] = []
  for (let round = -1; round < rounds; round += 1) {
    for (const { url, downloads } of ways) {
      const before = workers.cpu('vault')
      const sampling = setInterval(() => memory.push(workers.memory()), 20)
      // oxlint-disable-next-line no-await-in-loop -- measured one after the other
      const measured = await download(url, headers)
      clearInterval(sampling)
      if (round >= 0)
        downloads.push({ ...measured, cpuMs: (workers.cpu('vault') - before) / 1_000 })
    }
  }
  console.table(ways.map((way) => figuresOf(way, ways[0] ?? way)))
  const [first = 0] = memory
  console.log(
    `Memory of the vault: ${first.toFixed(0)} MB before, ${Math.max(...memory).toFixed(0)} MB at most, ${memory.at(-1)?.toFixed(0)} MB after.`,
  )
  await workers.close()
}

/** The figures of a way. The comparisons are medians of the rounds, in each of which all ways took turns. */
function figuresOf({ to, downloads }: Way, straight: Way) {
  const pairs = downloads.map((own, index) => ({ own, other: straight.downloads[index] ?? own }))
  const later = median(pairs.map(({ own, other }) => own.firstByteMs - other.firstByteMs))
  const share = median(pairs.map(({ own, other }) => own.mbPerSecond / other.mbPerSecond))
  return {
    to,
    'first byte, ms': median(downloads.map(({ firstByteMs }) => firstByteMs)),
    'later by, ms': Number(later.toFixed(2)),
    'MB/s': Math.round(median(downloads.map(({ mbPerSecond }) => mbPerSecond))),
    'of the provider': Number(share.toFixed(2)),
    'CPU, ms': Math.round(median(downloads.map(({ cpuMs }) => cpuMs))),
  }
}

async function download(url: string, headers: string[]): Promise<Download> {
  const format = '%{http_code} %{time_starttransfer} %{size_download} %{speed_download}'
  const args = ['-s', '-o', '/dev/null', '-w', format, ...headers, url]
  const { stdout } = await promisify(execFile)('curl', args)
  const [status, firstByte = 0, size, speed = 0] = stdout.split(' ').map(Number)
  if (status !== 200 || size !== 50_000_000) throw new Error(`curl printed ${stdout}`)
  return { firstByteMs: firstByte * 1_000, mbPerSecond: speed / 1e6 }
}
