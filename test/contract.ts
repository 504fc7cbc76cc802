/** Whether an answer is one that the OpenAPI document has: its status, its headers and its body. */

import { Validator, type Schema } from '@cfworker/json-schema'
import { expect } from 'vitest'
import served from '../src/page/reference/openapi.json'
import { relayErrorAnswer } from '../src/shared/answers.ts'

interface DocumentedResponse {
  /** A header that is described here, not referred to, need not be there. */
  headers?: Record<string, { $ref?: string }>
  content: Record<string, { schema: Schema }>
}

type PathItem = Record<string, { responses: Record<string, DocumentedResponse> } | undefined>

interface OpenApi {
  paths: Record<string, PathItem>
  components: { responses: Record<string, DocumentedResponse>; schemas: Record<string, Schema> }
}

/** The document, closed: a new field of an answer has to be in its schema. */
const document: OpenApi = JSON.parse(JSON.stringify(served), (_key, value) =>
  value?.type === 'object' ? { ...value, additionalProperties: false } : value,
)

const PATHS = Object.entries(document.paths).map(([path, item]) => ({
  pattern: new RegExp(`^${path.replaceAll(/\{\w+\}/g, '[^/]+')}$`),
  item,
}))

/**
 * Fails the test if the document does not have this answer to `request`. The page at `/` is not in it, and
 * neither is the relay: its answers are the providers' own, or have the form that SDKs read.
 */
export async function expectDocumented(request: Request, response: Response): Promise<void> {
  const { pathname } = new URL(request.url)
  const isPreflight = request.method === 'OPTIONS' && response.status === 204
  if (pathname === '/' || isPreflight) return
  if (/^\/relay(?:\/|$)/.test(pathname)) return expectForSdk(request, response)
  const name = `${request.method} ${pathname}: ${response.status}`
  const documented = findResponse(request.method, pathname, response.status)
  expect(documented, `${name} is in the OpenAPI document`).toBeDefined()
  for (const [header, { $ref }] of Object.entries(documented?.headers ?? {})) {
    if ($ref === undefined) continue
    expect(response.headers.has(header), `${name} has ${header}`).toBe(true)
  }
  const type = response.headers.get('Content-Type') ?? ''
  if (request.method === 'HEAD' || documented === undefined || type.includes('ndjson')) return
  const body = await response.text()
  const parsed: unknown = JSON.parse(body)
  const faults = findFaults(documented, JSON_TYPE, parsed)
  expect(faults, `${name} has a body of the OpenAPI document: ${body}`).toEqual([])
  const code = parsed instanceof Object && 'code' in parsed ? parsed.code : null
  expect(response.headers.get('X-Vault-Error'), `${name} has its code in X-Vault-Error`).toBe(code)
}

const JSON_TYPE = 'application/json'

/** What is wrong with the lines of an answer to `GET path`, each with its number. */
export function findLineFaults(path: string, lines: readonly unknown[]): string[] {
  const documented = findResponse('GET', path, 200)
  if (documented === undefined) return [`${path} is not in the OpenAPI document`]
  return lines.flatMap((line, index) =>
    findFaults(documented, 'application/x-ndjson', line).map((fault) => `${index} ${fault}`),
  )
}

function findFaults(documented: DocumentedResponse, type: string, value: unknown): string[] {
  const { errors } = validatorOf(documented, type).validate(value)
  return errors.map(({ instanceLocation, error }) => `${instanceLocation}: ${error}`)
}

/** Fails the test if a refusal of the relay has another form. An answer without a code is the provider's. */
async function expectForSdk({ method, url }: Request, response: Response): Promise<void> {
  const code = response.headers.get('X-Vault-Error')
  if (code === null || method === 'HEAD') return
  const body: unknown = await response.json()
  const parsed = relayErrorAnswer.safeParse(body)
  expect(parsed, `${method} ${url} is refused in the form for SDKs`).toEqual({
    success: true,
    data: body,
  })
  expect(parsed.data?.error, `${method} ${url} has its code in X-Vault-Error`).toMatchObject({
    code,
    status: code,
  })
}

/** HEAD answers as GET. */
function findResponse(method: string, path: string, status: number) {
  const { NotFound, MethodNotAllowed } = document.components.responses
  const item = PATHS.find(({ pattern }) => pattern.test(path))?.item
  if (item === undefined) return status === 404 ? NotFound : undefined
  const operation = item[method === 'HEAD' ? 'get' : method.toLowerCase()]
  if (operation === undefined) return status === 405 ? MethodNotAllowed : undefined
  return operation.responses[status]
}

const validators = new WeakMap<Schema, Validator>()

function validatorOf({ content }: DocumentedResponse, type: string): Validator {
  const { schema = {} } = content[type] ?? {}
  const known = validators.get(schema)
  if (known !== undefined) return known
  const { components } = document
  const validator = new Validator({ ...schema, components }, '2020-12', false)
  validators.set(schema, validator)
  return validator
}
