/** Reads the CPU time of processes from Linux. */

import { readdirSync, readFileSync } from 'node:fs'

/** The processes with this name that `parent` has started. */
export function findChildren(parent: number, name: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    const [, comm, rest = ''] = /\((.*)\) (.*)/.exec(readProcess(`${pid}/stat`)) ?? []
    return comm === name && Number(rest.split(' ')[1]) === parent
  })
}

/** CPU time of all their threads so far, in µs. */
export function cpuOf(pids: readonly string[]): () => number {
  return () => {
    const threads = pids.flatMap((pid) =>
      readdirSync(`/proc/${pid}/task`).map((id) => `${pid}/task/${id}`),
    )
    const times = threads.map((thread) =>
      Number(readProcess(`${thread}/schedstat`).split(' ')[0] ?? 0),
    )
    return times.reduce((sum, time) => sum + time, 0) / 1_000
  }
}

/** The memory of all their processes, in MB. */
export function memoryOf(pids: readonly string[]): () => number {
  return () => {
    const sizes = pids.map((pid) => /^VmRSS:\s+(\d+)/m.exec(readProcess(`${pid}/status`))?.[1])
    return sizes.reduce((sum, size) => sum + Number(size ?? 0), 0) / 1_000
  }
}

function readProcess(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, 'utf8')
  } catch {
    return '' // The process has ended, or the entry is not a process.
  }
}
