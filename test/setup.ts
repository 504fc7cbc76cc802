import { applyD1Migrations } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { afterEach, inject } from 'vitest'
import { noteLine, takeFaults } from './log-lines.ts'

await applyD1Migrations(env.DB, inject('migrations'))

for (const method of ['log', 'warn', 'error'] as const) {
  const write = console[method].bind(console)
  console[method] = (...args: unknown[]) => {
    noteLine(args)
    write(...args)
  }
}

afterEach(() => {
  const faults = takeFaults()
  if (faults.length > 0) throw new Error(`Not in src/log-lines.ts: ${faults.join(', ')}`)
})
