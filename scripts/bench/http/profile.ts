/** Measures a Worker's CPU time by function, with V8's profiler over workerd's inspector. */

import * as z from 'zod'
import { inspect } from '../../lib/inspector.ts'

/** The used part of V8's profile: https://chromedevtools.github.io/devtools-protocol/v8/Profiler/ */
const answer = z.object({
  profile: z.object({
    nodes: z.array(
      z.object({
        id: z.number(),
        callFrame: z.object({ functionName: z.string(), lineNumber: z.number() }),
      }),
    ),
    samples: z.array(z.number()),
  }),
})

/** A function, and its share of the samples in which JavaScript ran. */
export interface Hot {
  name: string
  share: number
}

/** Samples the Worker `name` while `work` runs. The inspector is at `url`. */
export async function profile(
  url: string,
  name: string,
  work: () => Promise<unknown>,
): Promise<Hot[]> {
  const { call, close } = await inspect(url, name)
  await call('Profiler.enable')
  await call('Profiler.setSamplingInterval', { interval: 100 })
  await call('Profiler.start')
  await work()
  const { profile: taken } = answer.parse(await call('Profiler.stop'))
  close()
  return summarize(taken)
}

function summarize({ nodes, samples }: z.output<typeof answer>['profile']): Hot[] {
  const names = new Map(
    nodes.map(({ id, callFrame: { functionName, lineNumber } }) => [
      id,
      functionName === '' ? `(anonymous, line ${lineNumber + 1})` : functionName,
    ]),
  )
  const counts = new Map<string, number>()
  for (const sample of samples) {
    const name = names.get(sample) ?? ''
    if (name !== '(idle)') counts.set(name, (counts.get(name) ?? 0) + 1)
  }
  const total = counts.values().reduce((sum, count) => sum + count, 0)
  return Array.from(counts, ([name, count]) => ({ name, share: count / total })).toSorted(
    (one, other) => other.share - one.share,
  )
}
