/** Applications in this folder, installed, built and started as their users do it. */

import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, onTestFinished } from 'vitest'
import { listen, stop } from '../../../scripts/lib/local-server.ts'
import { startProgram } from '../../node/program.ts'

/** Vitest's mode would make a build for tests. */
const PRODUCTION = { NODE_ENV: undefined, VITEST: undefined }
const QUIET = {
  ASTRO_TELEMETRY_DISABLED: '1',
  NEXT_TELEMETRY_DISABLED: '1',
  NUXT_TELEMETRY_DISABLED: '1',
}

/** The lock file has the exact versions of everything but the vault. */
const INSTALL = ['--prefer-offline', '--no-audit', '--no-fund', '--ignore-scripts']

/** A port that an application will get. Until then it is taken, so that nobody else gets it. */
export async function reservePort() {
  const holder = createServer()
  const port = await listen(holder)
  const release = async () => stop(holder)
  afterAll(release)
  return { port, release }
}

type Seat = Awaited<ReturnType<typeof reservePort>>

/** Copies the application of a folder out of this checkout, and installs it with the vault's package. */
export async function installApp(name: string, tarball: string, vars: Record<string, string>) {
  const cwd = mkdtempSync(join(tmpdir(), `user-key-vault-${name}-`))
  onTestFinished(() => rmSync(cwd, { recursive: true }))
  cpSync(`test/browser/frameworks/${name}`, cwd, { recursive: true })
  const env = { ...process.env, ...PRODUCTION, ...QUIET, ...vars }

  /** @throws Error with what it printed, if it fails */
  async function run(...command: string[]): Promise<void> {
    const { code, stdout, stderr } = await startProgram(command, { cwd, env }).ended()
    if (code !== 0) throw new Error(`${command.join(' ')}, in ${name}:\n${stdout}${stderr}`)
  }

  await run('npm', 'ci', ...INSTALL)
  await run('npm', 'install', '--no-save', ...INSTALL, tarball)
  return {
    build: async () => run('npm', 'run', 'build'),
    /** Starts it, and waits until it prints `ready`. @returns its address */
    start: async ({ port, release }: Seat, ready: string): Promise<string> => {
      await release()
      const command = ['npm', 'run', 'start', '--', '--port', String(port)]
      const program = startProgram(command, { cwd, env: { ...env, PORT: String(port) } })
      onTestFinished(async () => program[Symbol.asyncDispose]())
      await program.waitFor(ready)
      return `http://localhost:${port}`
    },
  }
}
