import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it } from 'vitest'
import { onStop, stopChild } from '../../../scripts/lib/stop.ts'

it('waits until the child that it asks to end has ended', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  await stopChild(child)
  expect(child.signalCode).toBe('SIGTERM')
  await stopChild(child)
})

it.for(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('stops once for two %ss', (signal) => {
  const listeners = ['SIGINT', 'SIGTERM', 'SIGHUP'].map(
    (name) => [name, process.rawListeners(name)] as const,
  )
  for (const [name] of listeners) process.removeAllListeners(name)
  let stops = 0
  onStop(() => (stops += 1))
  process.emit(signal)
  process.emit(signal)
  for (const [name, before] of listeners) {
    process.removeAllListeners(name)
    for (const listener of before)
      process.on(name, (...args) => Reflect.apply(listener, process, args))
  }
  expect(stops).toBe(1)
})
