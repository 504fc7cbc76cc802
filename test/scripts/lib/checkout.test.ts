import { join, resolve } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { callersPath, enterCheckout } from '../../../scripts/lib/checkout.ts'
import { enterFolder } from '../run-script.ts'

const CHECKOUT = resolve(import.meta.dirname, '../../..')

let folder: ReturnType<typeof enterFolder>
beforeEach(() => {
  folder = enterFolder()
})
afterEach(() => {
  folder.leave()
  vi.unstubAllEnvs()
})

it('a command works in the checkout, and takes files from the folder in which it was started', () => {
  const started = process.cwd()
  vi.stubEnv('INIT_CWD', '/of/another/package')
  vi.stubEnv('npm_package_json', '/of/another/package/package.json')
  enterCheckout()
  expect(process.cwd()).toBe(CHECKOUT)
  expect(callersPath('users.csv')).toBe(join(started, 'users.csv'))
  expect(callersPath('/tmp/users.csv')).toBe('/tmp/users.csv')
})

it('a command that npm runs takes files from the folder in which npm was started', () => {
  process.chdir(CHECKOUT)
  vi.stubEnv('INIT_CWD', '/home/ann')
  vi.stubEnv('npm_package_json', join(CHECKOUT, 'package.json'))
  enterCheckout()
  expect(process.cwd()).toBe(CHECKOUT)
  expect(callersPath('users.csv')).toBe('/home/ann/users.csv')
})
