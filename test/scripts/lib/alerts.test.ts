import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { ALERTS, renderAlertFiles } from '../../../scripts/lib/alerts.ts'
import { LOG_EVENTS } from '../../../src/log-lines.ts'

it.for([...renderAlertFiles()])(
  '%s is what the alerts say: after a change, npm run log-lines -- write',
  ([path, text]) => {
    expect(readFileSync(path, 'utf8')).toBe(text)
  },
)

it('each line of the level error or warn that the vault can write has an alert', () => {
  const alerted = new Set<string>(ALERTS.flatMap(({ events }) => events))
  const serious = Object.entries(LOG_EVENTS).flatMap(([name, { levels }]) =>
    levels.some((level) => level !== 'info') ? [name] : [],
  )
  expect(serious.filter((name) => !alerted.has(name))).toEqual([])
})

it('no two alerts have one name', () => {
  expect(new Set(ALERTS.map(({ name }) => name)).size).toBe(ALERTS.length)
})

it.for(['health-check', 'logpush', 'notification'])('examples/alerts/%s.json is JSON', (name) => {
  const body: unknown = JSON.parse(readFileSync(`examples/alerts/${name}.json`, 'utf8'))
  expect(body).toMatchObject({ name: expect.stringContaining('ault') })
})
