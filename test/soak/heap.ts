/** What is left in the heap of a Worker once its garbage is collected. */

import * as z from 'zod'
import type { Inspector } from '../../scripts/lib/inspector.ts'

/** https://chromedevtools.github.io/devtools-protocol/tot/Runtime/#method-getHeapUsage */
const usage = z.object({
  usedSize: z.number(),
  embedderHeapUsedSize: z.number(),
  backingStorageSize: z.number(),
})

/** The used part of V8's heap snapshot. Each node is as many numbers as there are fields. */
const snapshot = z.object({
  snapshot: z.object({
    meta: z.object({
      node_fields: z.array(z.string()),
      node_types: z.tuple([z.array(z.string())]).rest(z.unknown()),
    }),
  }),
  nodes: z.array(z.number()),
  strings: z.array(z.string()),
})

/** Objects of one constructor. */
export interface Objects {
  count: number
  bytes: number
}

/** Collects the garbage. @returns the bytes of what is left: objects, those of the runtime, and buffers */
export async function measureHeap({ call }: Inspector): Promise<number> {
  await call('HeapProfiler.collectGarbage')
  const { usedSize, embedderHeapUsedSize, backingStorageSize } = usage.parse(
    await call('Runtime.getHeapUsage'),
  )
  return usedSize + embedderHeapUsedSize + backingStorageSize
}

/** Takes a snapshot of the heap, which collects the garbage first. @returns the objects by the name of their constructor */
export async function countObjects({ call, hear }: Inspector): Promise<Map<string, Objects>> {
  const chunks: unknown[] = []
  hear('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk))
  await call('HeapProfiler.takeHeapSnapshot', { reportProgress: false })
  const { snapshot: about, nodes, strings } = snapshot.parse(JSON.parse(chunks.join('')))
  const { node_fields: fields, node_types: types } = about.meta
  const [type, name, size] = ['type', 'name', 'self_size'].map((field) => fields.indexOf(field))
  const counts = new Map<string, Objects>()
  for (let node = 0; node < nodes.length; node += fields.length) {
    const at = (field = 0) => nodes[node + field] ?? 0
    const group = groupOf(types[0][at(type)] ?? '', strings[at(name)] ?? '')
    const { count, bytes } = counts.get(group) ?? { count: 0, bytes: 0 }
    counts.set(group, { count: count + 1, bytes: bytes + at(size) })
  }
  return counts
}

/** An object by its constructor, and all else by what V8 calls it. */
function groupOf(type: string, name: string): string {
  return type === 'object' || type === 'native' ? name : `(${type})`
}
