/** Measures a stream of 50 MB through the relay, and straight from the provider, which take turns. */

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { median } from './http/report.ts'
import { startWorkers } from './http/workers.ts'

/** A download by curl. */
interface Download {
  firstByteMs: number
  mbPerSecond: number
}

/** Prints the time to the first byte, the throughput, the vault's CPU time, and its memory over the rounds. */
export async function benchStream(rounds: number): Promise<void> {
  const workers = await startWorkers({ users: 1, slots: 2 })
  const [user] = workers.users
  const direct: Download[] = []
  const relayed: Download[] = []
  const memory: number[] = []
  const cpus: number[] = []
  for (let round = -1; round < rounds; round += 1) {
    // oxlint-disable-next-line no-await-in-loop -- measured one after the other
    const straight = await download(`${workers.urls['provider']}/big`, [])
    const before = workers.cpu('vault')
    const sampling = setInterval(() => memory.push(workers.memory()), 20)
    const headers = ['-H', `Authorization: ${user?.authorization}`]
    // oxlint-disable-next-line no-await-in-loop
    const through = await download(`${workers.urls['vault']}/relay/openai/big`, headers)
    clearInterval(sampling)
    if (round < 0) continue
    direct.push(straight)
    relayed.push(through)
    cpus.push((workers.cpu('vault') - before) / 1_000)
  }
  const tell = (name: string, downloads: Download[]) => ({
    to: name,
    'first byte, ms': median(downloads.map(({ firstByteMs }) => firstByteMs)),
    'MB/s': Math.round(median(downloads.map(({ mbPerSecond }) => mbPerSecond))),
  })
  console.table([tell('the provider', direct), tell('the relay', relayed)])
  const [first = 0] = memory
  console.log(`CPU of the vault: ${median(cpus).toFixed(0)} ms per 50 MB.
Memory of the vault: ${first.toFixed(0)} MB before, ${Math.max(...memory).toFixed(0)} MB at most, ${memory.at(-1)?.toFixed(0)} MB after.`)
  await workers.close()
}

async function download(url: string, headers: string[]): Promise<Download> {
  const format = '%{http_code} %{time_starttransfer} %{size_download} %{speed_download}'
  const args = ['-s', '-o', '/dev/null', '-w', format, ...headers, url]
  const { stdout } = await promisify(execFile)('curl', args)
  const [status, firstByte = 0, size, speed = 0] = stdout.split(' ').map(Number)
  if (status !== 200 || size !== 50_000_000) throw new Error(`curl printed ${stdout}`)
  return { firstByteMs: firstByte * 1_000, mbPerSecond: speed / 1e6 }
}
