/** The vault in a process group of its own, which a test can kill at any moment. */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { findChildren, memoryOf } from '../../scripts/bench/http/cpu.ts'

/** What a vault is started with. */
export interface VaultOptions {
  /** Where the database is. */
  directory: string
  bindings: Record<string, string>
  /** Whether the database has no tables yet. */
  isNew: boolean
  /** The milliseconds between two runs of the jobs. */
  jobPauseMs: number
  /** The Worker to start instead of the vault. */
  entry?: string
  /** How many owners the database has from the start: see `seedOwners`. */
  owners?: number
  /** Whether workerd has an inspector. */
  isInspected?: boolean
}

/** A running vault. */
export interface VaultProcess {
  url: string
  /** The URL of the inspector; empty if there is none. */
  inspectorUrl: string
  /** The memory of workerd, in MB. */
  memory: () => number
  /** How many runs of the jobs have ended well. */
  jobs: () => number
  /** Kills Node and workerd with SIGKILL. */
  kill: () => Promise<void>
}

/** Starts the vault, and waits until it answers. @throws Error if it does not start */
export async function startVaultProcess(options: VaultOptions): Promise<VaultProcess> {
  // Detached, so that the process and workerd are a group.
  const child = spawn(process.execPath, ['test/kill/vault.ts'], {
    detached: true,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  child.stdin.on('error', () => {}).write(JSON.stringify(options))
  let jobs = 0
  const [url = '', inspectorUrl = ''] = await new Promise<string[]>((resolve, reject) => {
    child.once('close', () => reject(new Error('The vault did not start')))
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line === 'job ok') jobs += 1
      if (line.startsWith('ready ')) resolve(line.split(' ').slice(1))
    })
  })
  const { pid } = child
  return {
    url,
    inspectorUrl,
    memory: memoryOf(findChildren(pid ?? 0, 'workerd')),
    jobs: () => jobs,
    kill: async () => {
      if (pid !== undefined && child.exitCode === null && child.signalCode === null) {
        process.kill(-pid, 'SIGKILL')
      }
      await ended
    },
  }
}
