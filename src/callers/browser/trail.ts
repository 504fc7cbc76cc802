/** Long answers as files: one JSON object on each line. All functions here throw a Problem. */

import type { EventFilter } from '../../shared/routes.ts'
import { requestLines, type Call } from './exchange.ts'
import { Problem } from './problem.ts'

/** Does the work of one request. */
type Run = (work: (call: Call) => Promise<string>) => Promise<string>

/** Fetches all events as a file. */
export async function fetchTrail(run: Run, query: EventFilter): Promise<Blob> {
  return joinParts((part) =>
    run(async (call) => {
      const path = `/api-key-events${search({ ...query, format: 'ndjson', ...part })}` as const
      return requestLines<'listEvents'>(call, path, { method: 'GET' })
    }),
  )
}

/** Fetches all that the service knows of the user as a file. */
export async function fetchUser(run: Run): Promise<Blob> {
  return joinParts(async (part) => {
    const lines = await run(async (call) =>
      requestLines<'exportUser'>(call, `/export${search(part)}`, { method: 'GET' }),
    )
    if (!/^\{"type":"end"/m.test(lines)) throw new Problem('not_an_answer')
    // Each part begins with the line of the user.
    return part.cursor === undefined ? lines : lines.replace(/^.*\n/, '')
  })
}

/** The last line of a part if another one follows. */
const END = /^\{(?:"type":"end",)?"next_cursor":".*\n$/m

interface Part {
  /** Where it begins; undefined for the first one. */
  cursor?: string | undefined
}

async function joinParts(fetchPart: (part: Part) => Promise<string>): Promise<Blob> {
  const parts: string[] = []
  let cursor: string | undefined
  do {
    // oxlint-disable-next-line no-await-in-loop -- each part begins where the last one ended
    const lines = await fetchPart({ cursor })
    const end = END.exec(lines)
    parts.push(lines.slice(0, end?.index))
    const { next_cursor: next }: { next_cursor?: string } = JSON.parse(end?.[0] ?? '{}')
    cursor = next
  } while (cursor)
  return new Blob(parts)
}

/** The query of what is given. */
export function search(given: object): `?${string}` {
  return `?${new URLSearchParams(Object.entries(given).filter(([, value]) => value))}`
}
