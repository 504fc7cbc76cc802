/** The TypeScript of the pages on the use of keys type-checks against the types of this checkout. It starts the compiler once. */

import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { expect, it, onTestFinished } from 'vitest'

const PAGES = ['bindings', 'relay', 'fallback', 'websockets', 'teams', 'named-keys', 'key-life']

/** What the application has around each block. */
const AROUND = `import { GoogleGenAI, type LiveCallbacks } from '@google/genai'
import OpenAI from 'openai'
import type { KeyVault } from '../../src/callers/binding.ts'
import { relayFetch, vaultFetch, type Fallback, type KeyUse } from '../../src/callers/fetch.ts'

declare const env: { KEY_VAULT: Service<KeyVault>; OPENAI_API_KEY: string }
declare const user: { mayUseOurKey: boolean }
declare const headers: Record<string, string>
declare const userId: string, token: string, body: string, model: string, slot: string
declare const request: Request
declare const callbacks: LiveCallbacks
declare const fallback: Fallback | undefined
declare const onKey: (use: KeyUse) => Promise<void>
declare function bill(userId: string, slot: string, reason: string): Promise<void>
`

/** Each block as a function, whose own names may be those around it. */
function modulesOf(page: string): string[] {
  const blocks = readFileSync(`docs/${page}.md`, 'utf8').matchAll(/^```ts\n(.*?)\n```$/gms)
  return Array.from(blocks, ([, code = '']) => {
    const lines = code.split('\n').filter((line) => !line.startsWith('import '))
    return `${AROUND}\nexport async function block() {\n${lines.join('\n')}\n}\n`
  })
}

it('the TypeScript blocks of the pages type-check', () => {
  // In the checkout, so that the compiler finds the packages.
  const folder = `.wrangler/docs-blocks-${process.pid}`
  mkdirSync(folder, { recursive: true })
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const modules = PAGES.flatMap((page) =>
    modulesOf(page).map((code, index) => ({ page, index, code })),
  )
  expect(modules.length).toBeGreaterThan(9)
  for (const { page, index, code } of modules) writeFileSync(`${folder}/${page}-${index}.ts`, code)
  const compilerOptions = { noUnusedLocals: false, noImplicitReturns: false }
  const config = { extends: '../../test/node/tsconfig.json', compilerOptions, include: ['.'] }
  writeFileSync(`${folder}/tsconfig.json`, JSON.stringify({ ...config, exclude: [] }))
  const args = ['node_modules/typescript/bin/tsc', '--noEmit', '-p', folder]
  const { stdout, status } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  expect([stdout, status]).toEqual(['', 0])
})
