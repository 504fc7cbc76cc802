import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { LOG_SCHEMA_FILE, renderLogSchema } from '../../scripts/lib/log-schema.ts'
import { nameLineFault } from '../log-lines.ts'

it('the schema of log lines is what src/log-lines.ts says: after a change, npm run log-lines -- write', () => {
  expect(readFileSync(LOG_SCHEMA_FILE, 'utf8')).toBe(renderLogSchema())
})

describe('docs/operate.md', () => {
  const page = readFileSync('docs/operate.md', 'utf8')
  const [, section = ''] = page.split('## Which events should page somebody')
  const [table = '', samples = ''] = section.split('### What each one looks like')
  const lines = samples.split('\n').filter((line) => line.startsWith('{"level"'))

  it.for(lines)('shows a line that the vault can log: %s', (line) => {
    expect(nameLineFault(line)).toBeNull()
  })

  it('shows a line of each event that should page somebody, or says which one looks like it', () => {
    const names = [...table.matchAll(/`([a-z]+(?:_[a-z]+)+)`/g)].flatMap(([, name = '']) => name)
    expect(names.length).toBeGreaterThan(10)
    const [shown = ''] = samples.split('\n## ')
    const others = new Set(['binding_call', 'key_id_not_in_keyring'])
    expect(names.filter((name) => !others.has(name) && !shown.includes(name))).toEqual([])
  })
})
