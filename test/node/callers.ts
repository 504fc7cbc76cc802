/** The projects of people who use the package, as their files and their compiler options. */

import { readFileSync } from 'node:fs'

export interface Project {
  compilerOptions: Record<string, unknown>
  /** What an installation has besides the vault: packages of its own, and those that the vault brings. */
  packages: readonly string[]
  /** Code by the names of its files. The first one is the entry. */
  files: Record<string, string>
}

const BROWSER = { module: 'esnext', moduleResolution: 'bundler', lib: ['esnext', 'dom'], types: [] }
const WORKER = { ...BROWSER, lib: ['esnext'], types: ['@cloudflare/workers-types'] }
const NODE = { module: 'nodenext', moduleResolution: 'nodenext', lib: ['esnext'], types: ['node'] }

/** The element itself in JSX: what can be set on it, and what is refused. */
const TAG = `
import type { ApiKeySettingsElement } from 'user-key-vault/element'

let element: ApiKeySettingsElement | null = null
export const settings = (
  <api-key-settings
    ref={(current: ApiKeySettingsElement | null) => void (element = current)}
    base-url="https://vault.example.com"
    user-id="alice"
    team-id={null}
    providers="openai groq"
    theme="dark"
    density="compact"
    heading-level={2}
    lang="de"
    getToken={({ refresh }) => (refresh ? 'new' : 'token')}
    onloaded={({ detail }) => console.log(detail.keys)}
    onsaved={({ detail }) => console.log(detail.preview, element?.reload())}
    onerror={({ detail }) => console.log(detail.code === 'offline')}
  >
    Your keys are loading.
  </api-key-settings>
)
// @ts-expect-error
export const theme = <api-key-settings theme="blue" />
// @ts-expect-error
export const vault = <api-key-settings vault="https://vault.example.com" />
// @ts-expect-error
export const token = <api-key-settings getToken={() => 1} />
// @ts-expect-error
export const saved = <api-key-settings onsaved={({ detail }) => detail.apiKey} />
`

/**
 * One project of each kind. `@ts-expect-error` is itself an error if the next line type-checks. So it proves
 * that no type there is `any`.
 */
export const CALLERS: [kind: string, project: Project][] = [
  [
    'a Worker that is bound to the vault',
    {
      compilerOptions: WORKER,
      packages: ['@cloudflare/workers-types'],
      files: {
        'worker.ts': `
import type { BindingProps, ErrorCode, Grant, KeyVault, Result } from 'user-key-vault/binding'
import { vaultFetch, type KeyUse } from 'user-key-vault/fetch'

interface Env { KEY_VAULT: Service<KeyVault> }

const bill = async ({ source, slot, reason }: KeyUse): Promise<void> => {
  if (source === 'application') console.log(slot, reason satisfies 'no_api_key' | 'user_not_found' | 'out_of_credit')
}

export const props: BindingProps = { caller: 'chat', grants: ['use'], providers: ['openai'] }
export const grant: Grant = 'reveal'
// @ts-expect-error
export const unknownGrant: Grant = 'everything'
// @ts-expect-error
export const noGrants: BindingProps = { caller: 'chat' }
export const refused: Result<{ created: boolean }> = { ok: false, code: 'not_granted' }

export default {
  async fetch(request, { KEY_VAULT }) {
    // @ts-expect-error
    await KEY_VAULT.fetchWithApiKey('alice', 'openai', 'https://api.openai.com')
    // @ts-expect-error
    await KEY_VAULT.readEveryKey()
    const result = await KEY_VAULT.fetchWithApiKey('alice', 'openai', request)
    // @ts-expect-error
    const unchecked: Response = result.response
    if (!result.ok) {
      const code: ErrorCode = result.code
      // @ts-expect-error
      const number: number = result.code
      return Response.json({ code, number, unchecked })
    }
    const revealed = await KEY_VAULT.getDecryptedApiKey('alice')
    if (revealed.ok) {
      const key: string | null = revealed.apiKey
      // @ts-expect-error
      const sure: string = revealed.apiKey
      console.log(key, sure)
    }
    const mayPay: boolean = new URL(request.url).searchParams.has('pay')
    const fallback = mayPay ? { apiKey: 'sk-1' } : undefined
    const user = { userId: 'alice', provider: 'openai', fallback, onKey: bill }
    const send: typeof fetch = vaultFetch(KEY_VAULT, user)
    // @ts-expect-error
    vaultFetch(KEY_VAULT, { userId: 'alice' })
    return send(result.response.url)
  },
} satisfies ExportedHandler<Env>
`,
      },
    },
  ],
  [
    'a page with the element and a typed client',
    {
      compilerOptions: BROWSER,
      packages: ['hono'],
      files: {
        'page.ts': `
import { hc } from 'hono/client'
import type { AppType, ErrorAnswer, KeyReason } from 'user-key-vault/client'
import 'user-key-vault/element'
import type { ApiKeySettingsElement, SavedDetail } from 'user-key-vault/element'

const settings = document.createElement('api-key-settings')
document.querySelector('api-key-settings')?.remove()
settings.baseUrl = 'https://vault.example.com'
settings.userId = 'alice'
settings.providers = 'openai anthropic'
settings.getToken = async ({ refresh }) => (refresh ? 'new' : 'token')
settings.texts = { addKey: 'Connect a provider' }
// @ts-expect-error
settings.getToken = () => 1
// @ts-expect-error
settings.texts = { addCar: 'Connect a provider' }
// @ts-expect-error
settings.providers = ['openai']
settings.addEventListener('saved', ({ detail }) => {
  const saved: SavedDetail = detail
  // @ts-expect-error
  console.log(saved, detail.apiKey)
})
settings.addEventListener('error', ({ detail: { code, requestId } }) => {
  if (code === 'offline' || code === 'api_key_rejected') return
  // @ts-expect-error
  if (code === 'never_heard_of') console.log(requestId)
})
settings.addEventListener('click', (event) => console.log(event.clientX))
export const element: ApiKeySettingsElement = settings

const { users, health } = hc<AppType>('https://vault.example.com').api
const param = { userId: 'alice', provider: 'openai' }
const slot = users[':userId']['api-keys'][':provider']

export async function save(): Promise<string> {
  const saved = await slot.$put({ param, query: { verify: 'false' }, json: { api_key: 'sk-1' } })
  // @ts-expect-error
  await slot.$put({ param, query: {}, json: { base_url: 'https://example.com' } })
  // @ts-expect-error
  await slot.remove.$post({ param })
  if (!saved.ok) {
    const error: ErrorAnswer = await saved.json()
    // @ts-expect-error
    console.log(error.user)
    return error.code
  }
  const { user } = await saved.json()
  const status: 'active' | 'rejected' | 'unverified' = user.status
  // @ts-expect-error
  const number: number = user.api_key_preview
  const healthy = await health.$get()
  // @ts-expect-error
  const unchecked: 'ok' = (await healthy.json()).status
  if (!healthy.ok) return unchecked
  const { status: ok } = await healthy.json()
  const refused: Pick<ErrorAnswer, 'code'> = { code: 'api_key_rejected' }
  const { reason, index }: Pick<ErrorAnswer, 'reason' | 'index'> = { reason: 'white_space', index: 6 }
  // @ts-expect-error
  const other: KeyReason = 'purple'
  return [status, number, ok satisfies 'ok', refused.code, reason, index, other].join()
}
`,
      },
    },
  ],
  [
    'a page with a settings screen of its own',
    {
      compilerOptions: BROWSER,
      packages: [],
      files: {
        'screen.ts': `
import {
  createVaultClient,
  describeProblem,
  etagOf,
  examineKey,
  Problem,
  type AnswerOf,
  type ListedAnswer,
  type ProblemLanguage,
} from 'user-key-vault/browser'
import de from 'user-key-vault/browser/de'

const access = { baseUrl: 'https://vault.example.com', getToken: () => 'token' }
const vault = createVaultClient({ ...access, userId: 'alice' })
const team = createVaultClient({ ...access, teamId: 'acme' })
// @ts-expect-error
createVaultClient({ ...access })
// @ts-expect-error
createVaultClient({ baseUrl: 'https://vault.example.com', userId: 'alice' })
// @ts-expect-error
team.downloadUser()
const language: ProblemLanguage = de

export async function save(slot: ListedAnswer, key: string, signal: AbortSignal): Promise<string> {
  try {
    // @ts-expect-error
    await vault.saveSlot(slot.provider, { base_url: key })
    const { user } = await vault.saveSlot(slot.provider, { api_key: key }, { etag: etagOf(slot), signal })
    // @ts-expect-error
    const number: number = user.api_key_preview
    const listed: AnswerOf<'listSlots'> = await vault.listSlots()
    const { team: saved } = await team.saveSlot('openai:work', { api_key: key }, { verify: false })
    const file: Blob = await vault.downloadEvents({ provider: slot.provider })
    return [number, user.status, listed.api_keys.length, saved.etag, file.size].join()
  } catch (error) {
    if (error instanceof Problem && error.code === 'changed_meanwhile') return 'again'
    // @ts-expect-error
    if (error instanceof Problem && error.code === 'never_heard_of') return 'never'
    return describeProblem(error, language, slot)
  }
}

export async function paste(text: string): Promise<string> {
  const { api_keys: slots } = await vault.listSlots()
  const { key, fault, providers } = examineKey(text, slots)
  // @ts-expect-error
  const sure: string = key
  return key === null && fault !== null ? describeProblem(fault) : sure + providers.join()
}
`,
      },
    },
  ],
  [
    'a Node server with a typed client',
    {
      compilerOptions: NODE,
      packages: ['@types/node', 'hono'],
      files: {
        'server.ts': `
import { createServer } from 'node:http'
import type { Hono } from 'hono'
import { hc, type InferResponseType } from 'hono/client'
import type { BlankEnv } from 'hono/types'
import type { KeyVault } from 'user-key-vault/binding'
import type { AppType, Routes } from 'user-key-vault/client'
import { relayFetch, vaultFetch, type FetchBinding } from 'user-key-vault/fetch'

const client = hc<AppType>('https://vault.example.com')
const sameClient: typeof client = hc<Hono<BlankEnv, Routes>>('https://vault.example.com')
const list = sameClient.api.users[':userId']['api-keys']
type Listed = InferResponseType<typeof list.$get, 200>['api_keys'][number]

createServer(async (_request, response) => {
  const answer = await list.$get({ param: { userId: 'alice' } })
  if (!answer.ok) return void response.end((await answer.json()).error)
  const { api_keys: slots } = await answer.json()
  const first: Listed | undefined = slots[0]
  // @ts-expect-error
  response.end(first.label)
  // @ts-expect-error
  await list.$get({ param: { user: 'alice' } })
  response.end(first?.has_api_key ? first.api_key_preview : first?.label)
})

/** As a test has it. */
export const fake: Pick<KeyVault, 'hasUser'> = { hasUser: async () => ({ ok: true, exists: true }) }
export const send = (vault: FetchBinding): typeof fetch =>
  vaultFetch(vault, { userId: 'alice', provider: 'openai' })
const relay = { vault: 'https://vault.example.com', provider: 'openai' }
export const relayed: typeof fetch = relayFetch({ ...relay, token: async () => 'token' })
// @ts-expect-error
export const anonymous = relayFetch(relay)
`,
      },
    },
  ],
  [
    'a React application',
    {
      compilerOptions: { ...BROWSER, jsx: 'react-jsx' },
      packages: ['@types/react', 'react'],
      files: {
        'app.tsx': `
import { createRef } from 'react'
import { ApiKeySettings, type ApiKeySettingsElement, type SavedDetail } from 'user-key-vault/react'

const hear = ({ provider, status }: SavedDetail) => console.log(provider, status)
const settings = createRef<ApiKeySettingsElement>()
export const reload = async () => settings.current?.reload()

export const app = (
  <ApiKeySettings
    ref={settings}
    baseUrl="https://vault.example.com"
    userId={null}
    getToken={({ refresh }) => (refresh ? 'new' : 'token')}
    providers={['openai']}
    texts={{ addKey: 'Connect a provider' }}
    theme="dark"
    density="compact"
    headingLevel={2}
    signIn={async () => {}}
    onLoaded={({ keys, attention }) => console.log(keys + attention)}
    onSaved={hear}
    onChanged={({ provider, change }) => console.log(provider, change === 'elsewhere')}
    onError={({ code, requestId }) => console.log(code === 'offline', requestId?.length)}
  />
)
export const blue = (
  // @ts-expect-error
  <ApiKeySettings baseUrl="/" userId="alice" getToken={() => 'token'} theme="blue" />
)
// @ts-expect-error
export const withoutToken = <ApiKeySettings baseUrl="https://vault.example.com" userId="alice" />
export const wrong = (
  // @ts-expect-error
  <ApiKeySettings baseUrl="/" userId="alice" getToken={() => 'token'} onSaved={hear.name} />
)
`,
      },
    },
  ],
  [
    'a Worker that mounts the routes from their sources',
    {
      compilerOptions: { ...WORKER, allowImportingTsExtensions: true },
      packages: ['@cloudflare/workers-types', 'hono', 'jose', 'user-key-vault-worker', 'zod'],
      files: {
        'index.ts': `
import { Hono } from 'hono'
import { Deletions, KeyVault } from 'user-key-vault-worker'
import { apiKeys } from 'user-key-vault-worker/api-keys'
import { runJob } from 'user-key-vault-worker/jobs'

const app = new Hono<{ Bindings: Env }>().route('/api', apiKeys)
// @ts-expect-error
new Hono().route(apiKeys)

export { Deletions, KeyVault }
export default { fetch: app.fetch, scheduled: async (_controller, env) => runJob(env, 'rewrap') } satisfies ExportedHandler<Env>
`,
        // As `wrangler types` makes it.
        'worker-configuration.d.ts': readFileSync('src/worker-configuration.d.ts', 'utf8'),
      },
    },
  ],
  [
    'the element in React',
    {
      compilerOptions: { ...BROWSER, jsx: 'react-jsx' },
      packages: ['@types/react', 'react'],
      files: { 'app.tsx': TAG },
    },
  ],
  [
    'the element in Preact',
    {
      compilerOptions: { ...BROWSER, jsx: 'react-jsx', jsxImportSource: 'preact' },
      packages: ['preact'],
      files: { 'app.tsx': TAG },
    },
  ],
  [
    'the element in Solid',
    {
      compilerOptions: { ...BROWSER, jsx: 'preserve', jsxImportSource: 'solid-js' },
      packages: ['solid-js'],
      files: {
        'app.tsx': `import 'solid-js'
${TAG}
export const listener = <api-key-settings on:saved={({ detail }) => console.log(detail.preview)} />
`,
      },
    },
  ],
]

/** A page whose Hono is another version than the vault's. */
export const OTHER_HONO: Project = {
  compilerOptions: BROWSER,
  packages: [],
  files: {
    'page.ts': `
import type { Hono } from 'hono'
import { hc } from 'hono/client'
import type { BlankEnv } from 'hono/types'
import type { Routes } from 'user-key-vault/client'

const { users } = hc<Hono<BlankEnv, Routes>>('https://vault.example.com').api
const key = users[':userId']['api-key']

export async function preview(): Promise<string> {
  const saved = await key.$put({ param: { userId: 'alice' }, json: { api_key: 'sk-1' } })
  if (!saved.ok) return (await saved.json()).code
  const { user } = await saved.json()
  // @ts-expect-error
  const number: number = user.api_key_preview
  return number + user.api_key_preview
}
`,
  },
}
