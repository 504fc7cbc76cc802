/** Sends load to an HTTP server, with wrk if it is installed, otherwise with autocannon. */

import { execFile, spawnSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Request } from 'autocannon'

/** A request that is repeated for one user after the other. `{user}` stands for the user's id. */
export interface Load {
  url: string
  method: 'GET' | 'PUT' | 'DELETE'
  path: string
  body?: string
  contentType?: string
  /** Each user's id and Authorization header. An empty header is not sent. */
  users: readonly { id: string; authorization: string }[]
}

/** The result of a load. Times are in milliseconds. */
export interface Measured {
  requests: number
  perSecond: number
  p50: number
  p99: number
  /** The number of answers with a status over 399. */
  refused: number
}

export const CONNECTIONS = 16
const hasWrk = spawnSync('wrk', ['-v']).error === undefined

/** The name of the program that sends the load. */
export const GENERATOR = hasWrk ? 'wrk' : 'autocannon'

/** Sends `load` for `seconds`. */
export async function send(load: Load, seconds: number): Promise<Measured> {
  return hasWrk ? sendByWrk(load, seconds) : sendByAutocannon(load, seconds)
}

const directory = mkdtempSync(join(tmpdir(), 'bench-'))

async function sendByWrk(load: Load, seconds: number): Promise<Measured> {
  const script = join(directory, 'load.lua')
  writeFileSync(script, luaOf(load))
  const args = ['-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', script, load.url]
  const { stdout } = await promisify(execFile)('wrk', args)
  const [requests, micros, p50, p99, refused] =
    /^RESULT (.*)$/m.exec(stdout)?.[1]?.split(' ').map(Number) ?? []
  if (requests === undefined || micros === undefined) throw new Error(`wrk printed: ${stdout}`)
  return {
    requests,
    perSecond: requests / (micros / 1e6),
    p50: (p50 ?? 0) / 1e3,
    p99: (p99 ?? 0) / 1e3,
    refused: refused ?? 0,
  }
}

/** Lua reads a JSON string of these characters as it is. */
function quote(text: string): string {
  return JSON.stringify(text)
}

function luaOf({ method, path, body, contentType, users }: Load): string {
  const list = users.map(
    ({ id, authorization }) => `{${quote(path.replace('{user}', id))}, ${quote(authorization)}}`,
  )
  return `
local users = {${list.join(',\n')}}
local next = 0
local requests = {}
init = function()
  for index, user in ipairs(users) do
    local headers = {}
    if user[2] ~= "" then headers["Authorization"] = user[2] end
    ${contentType === undefined ? '' : `headers["Content-Type"] = ${quote(contentType)}`}
    requests[index] = wrk.format(${quote(method)}, user[1], headers, ${body === undefined ? 'nil' : quote(body)})
  end
end
request = function()
  next = next % #requests + 1
  return requests[next]
end
done = function(summary, latency)
  io.write(string.format("RESULT %d %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), summary.errors.status))
end
`
}

async function sendByAutocannon(load: Load, seconds: number): Promise<Measured> {
  const { default: autocannon } = await import('autocannon')
  const { url, method, path, body, contentType, users } = load
  const headers = contentType === undefined ? {} : { 'content-type': contentType }
  const requests = users.map(({ id, authorization }): Request =>
    Object.assign(
      { method, path: path.replace('{user}', id) },
      { headers: authorization === '' ? headers : Object.assign({ authorization }, headers) },
      body === undefined ? {} : { body },
    ),
  )
  const result = await autocannon({ url, requests, duration: seconds, connections: CONNECTIONS })
  const { latency, non2xx, duration } = result
  const count = result['2xx'] + non2xx
  return {
    requests: count,
    perSecond: count / duration,
    p50: latency.p50,
    p99: latency.p99,
    refused: non2xx,
  }
}
