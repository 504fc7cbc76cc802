/** The OpenAPI document of the HTTP API, made from the schemas that validate and from the table of errors. */

import { readFileSync } from 'node:fs'
import { CODES, type ErrorCode } from '../../src/shared/error-code.ts'
import { isJsonObject } from '../../src/shared/json.ts'
import { querySchemas } from '../../src/http/parameters.ts'
import { describeSchema, describeSchemas, refer } from './openapi-schemas.ts'
import { OPERATIONS, QUERY_PARAMETERS, requiresTags, type Operation } from './operations.ts'

/** Where `npm run openapi -- write` puts it. */
export const OPENAPI_FILE = 'src/page/reference/openapi.json'

const PARAMETERS = {
  userId:
    'The user. The `sub` of a token of the user, or its claim that `JWT_IDENTITY_CLAIM` names, must be exactly this.',
  teamId:
    'The team. The claim that `JWT_TEAM_CLAIM` names must have exactly this in the token of a member.',
  provider: 'The name of a slot. `default` is the slot of the plain route.',
}

const HEADERS = {
  Allow: 'The methods that the route has.',
  'Retry-After': 'Seconds until another attempt may succeed.',
  'WWW-Authenticate': 'RFC 6750 §3.',
}

const INFO = {
  title: 'User Key Vault',
  summary: 'API keys that the users of an application bring themselves',
  description:
    'No route returns a whole key. Times are ISO 8601 in UTC. Branch on `code`: a code does not change within a major version.',
  license: { name: 'MIT', identifier: 'MIT' },
}

/** The text of the document. */
export function renderOpenApi(): string {
  const { version }: { version: string } = JSON.parse(readFileSync('package.json', 'utf8'))
  const document = {
    openapi: '3.1.1',
    info: { ...INFO, version },
    servers: [{ url: '/' }],
    paths: describePaths(),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } },
      parameters: mapEntries(PARAMETERS, describeParameter),
      headers: mapEntries(HEADERS, describeHeader),
      responses: {
        NotFound: describeRefusal('There is no such route.', ['not_found']),
        MethodNotAllowed: describeRefusal('The route has no such method.', ['method_not_allowed']),
      },
      schemas: describeSchemas(),
    },
  }
  return `${JSON.stringify(document, simplify, 2)}\n`
}

/** Leaves out fields that are never there, and the pattern that zod adds to `date-time`. */
function simplify(key: string, value: unknown): unknown {
  if (!isJsonObject(value)) return value
  if (key !== 'properties' && 'not' in value) return undefined
  return value['format'] === 'date-time' ? { ...value, pattern: undefined } : value
}

function describePaths(): Record<string, object> {
  const paths: Record<string, Record<string, object>> = {}
  for (const operation of OPERATIONS) {
    const { method } = operation
    const path = operation.path.replaceAll(/:(\w+)/g, '{$1}')
    paths[path] ??= describePathParameters(path)
    paths[path][method] = describeOperation(operation)
  }
  return paths
}

function describePathParameters(path: string): Record<string, object> {
  const names = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name = '']) => name)
  if (names.length === 0) return {}
  return { parameters: names.map((name) => ({ $ref: `#/components/parameters/${name}` })) }
}

function describeParameter(name: string, description: string): object {
  return { name, in: 'path', required: true, description, schema: { type: 'string' } }
}

function describeHeader(_name: string, description: string): object {
  return { description, required: true, schema: { type: 'string' } }
}

function describeOperation(operation: Operation): object {
  const { operationId, summary, description, query, body, sent, answer, also, tags, codes } =
    operation
  const type = MEDIA_TYPES[operation.format ?? 'json']
  const parameters = [
    ...(query === 'None' ? [] : describeQuery(query)),
    ...(requiresTags(operation) ? PRECONDITIONS : []),
  ]
  return {
    operationId,
    summary,
    description,
    security: operation.tokens.length === 0 ? [] : [{ token: [] }],
    parameters: parameters.length === 0 ? undefined : parameters,
    requestBody: body === 'None' ? undefined : describeBody(body, sent),
    responses: {
      200: {
        description: 'OK',
        headers: tags === 'answers' || tags === 'both' ? { ETag: ENTITY_TAG } : undefined,
        content: {
          [type]: { schema: refer(answer) },
          ...(also && {
            [also.type]: { schema: { ...refer(also.schema), description: also.description } },
          }),
        },
      },
      ...describeRefusals(codes),
    },
  }
}

const MEDIA_TYPES = { json: 'application/json', ndjson: 'application/x-ndjson' }

const ENTITY_TAG = {
  description: 'The entity tag of the key. An empty slot has none.',
  schema: { type: 'string' },
}

const PRECONDITIONS = [
  {
    name: 'If-Match',
    in: 'header',
    description:
      'The `etag` of the key that you saw, several of them, or `*` for any key. If the slot has none of them, the answer is a 412.',
    schema: { type: 'string' },
  },
  {
    name: 'If-None-Match',
    in: 'header',
    description: '`*`: if the slot has a key, the answer is a 412.',
    schema: { type: 'string' },
  },
]

function describeBody(name: string, description: string | undefined): object {
  return { description, required: true, content: describeContent(refer(name)) }
}

function describeQuery(name: keyof typeof querySchemas): object[] {
  const { properties = {} } = describeSchema(querySchemas[name])
  const descriptions: Record<string, string> = QUERY_PARAMETERS[name]
  return Object.entries(properties).map(([parameter, schema]) => ({
    name: parameter,
    in: 'query',
    description: descriptions[parameter],
    schema,
  }))
}

/** The refusals of an operation, by status. */
function describeRefusals(codes: readonly ErrorCode[]): Record<string, object> {
  const byStatus = Map.groupBy(codes, (code) => CODES[code].status)
  return Object.fromEntries(
    Array.from(byStatus, ([status, group]) => [
      status,
      describeRefusal(group.map((code) => `\`${code}\``).join(', '), group),
    ]),
  )
}

function describeRefusal(description: string, codes: readonly ErrorCode[]): object {
  const [schema, ...others] = codes.map(refer)
  const headers = describeHeaders(codes)
  return {
    description,
    headers: headers.length === 0 ? undefined : Object.fromEntries(headers),
    content: describeContent(others.length === 0 ? schema : { oneOf: [schema, ...others] }),
  }
}

/** The headers of answers with these codes. One that not all of them have is described for itself, and not required. */
function describeHeaders(codes: readonly ErrorCode[]): [name: string, header: object][] {
  const names = new Set(codes.flatMap(nameHeaders))
  return Array.from(names, (name) => {
    const isRequired = codes.every((code) => nameHeaders(code).includes(name))
    const described = { description: HEADERS[name], schema: { type: 'string' } }
    return [name, isRequired ? { $ref: `#/components/headers/${name}` } : described]
  })
}

/** The headers that an answer with `code` always has. */
function nameHeaders(code: ErrorCode): (keyof typeof HEADERS)[] {
  const { status, challenge, retry } = CODES[code]
  if (challenge !== undefined) return ['WWW-Authenticate']
  if (status === 405) return ['Allow']
  return retry === 'wait' || retry === 'next_period' ? ['Retry-After'] : []
}

function describeContent(schema: object | undefined): object {
  return { 'application/json': { schema } }
}

function mapEntries<T>(
  values: Record<string, T>,
  describe: (name: string, value: T) => object,
): Record<string, object> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, describe(name, value)]),
  )
}
