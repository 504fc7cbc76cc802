/** The reference page: the OpenAPI document as HTML, without a script. */

import {
  escape,
  nameType,
  prose,
  renderFields,
  renderItem,
  renderItems,
  renderShared,
  resolve,
  type Schema,
  type Schemas,
} from './schema-html.ts'

/** By media type, the usual one first. */
type Content = Record<string, { schema: Schema }>

interface Parameter {
  name: string
  in: string
  description: string
  schema: Schema
}

interface Operation {
  operationId: string
  summary: string
  description?: string
  security: object[]
  parameters?: Parameter[]
  requestBody?: { description: string; content: Content }
  responses: Record<string, { content: Content }>
}

interface OpenApi {
  info: { title: string; version: string; summary: string; description: string }
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Schemas; parameters: Record<string, Parameter> }
}

/** An operation with its place. */
interface Route {
  method: string
  path: string
  operation: Operation
}

/** The page of the document `text`. */
export function renderReference(text: string): string {
  const document: OpenApi = JSON.parse(text)
  const { title, version, summary, description } = document.info
  const routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  )
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(title)}: API reference</title>
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/reference.css">
</head>
<body>
<header>
<h1>${escape(title)}: API reference</h1>
<p>${escape(summary)}. Version ${escape(version)}.</p>
<p>${prose(description)} Tools can read <a href="/openapi.json">the OpenAPI document</a>.</p>
</header>
<nav aria-label="Routes"><ul>
${routes.map(renderLink).join('\n')}
<li><a href="#errors">Errors</a></li>
</ul></nav>
<main>
${routes.map((route) => renderRoute(route, document)).join('\n')}
${renderErrors(document.components.schemas)}
</main>
</body>
</html>
`
}

function renderLink({ method, path, operation: { operationId, summary } }: Route): string {
  const call = `${renderMethod(method)} <code>${escape(path)}</code>`
  return `<li><a href="#${operationId}">${escape(summary)}</a><br>${call}</li>`
}

function renderMethod(method: string): string {
  return `<span class="method">${method}</span>`
}

function renderRoute({ method, path, operation }: Route, document: OpenApi): string {
  const { operationId, summary, description, security, requestBody, responses } = operation
  const { schemas } = document.components
  const fields = (content: Content | undefined) =>
    content === undefined ? '' : renderFields(schemaOf(content), schemas)
  const token =
    security.length > 0 ? '<p>Send the header <code>Authorization: Bearer TOKEN</code>.</p>' : ''
  const body =
    requestBody &&
    `<h3>Body</h3><p>${prose(requestBody.description)}</p>${fields(requestBody.content)}`
  return `<section id="${operationId}">
<h2>${escape(summary)}</h2>
<p class="call">${renderMethod(method)} <code>${escape(path)}</code></p>
${description === undefined ? '' : `<p>${prose(description)}</p>`}${token}
${renderParameters({ method, path, operation }, document)}
${body ?? ''}
<h3>Answer 200</h3>
${fields(responses['200']?.content)}
<h3>Other answers</h3>
${renderRefusals(operation, schemas)}
</section>`
}

function schemaOf(content: Content): Schema {
  const [usual] = Object.values(content)
  return usual?.schema ?? {}
}

function renderParameters({ path, operation }: Route, { components }: OpenApi): string {
  const ofPath = Object.values(components.parameters).filter(({ name }) =>
    path.includes(`{${name}}`),
  )
  const parameters = [...ofPath, ...(operation.parameters ?? [])]
  if (parameters.length === 0) return ''
  const items = parameters.map(({ name, in: place, description, schema }) => {
    const remark = `${nameType(schema, components.schemas)}, in the ${place}`
    return renderItem({ name, remark, meaning: `<p>${prose(description)}</p>` })
  })
  return `<h3>Parameters</h3>${renderItems(items)}`
}

/** The codes of an operation by status, each with a link to its sentence. */
function renderRefusals({ responses }: Operation, schemas: Schemas): string {
  const rows = Object.entries(responses).flatMap(([status, { content }]) => {
    if (status === '200') return []
    const schema = schemaOf(content)
    const codes = (schema.oneOf ?? [schema]).map((error) => nameCode(resolve(error, schemas)))
    const links = codes.map((code) => `<a href="#${code}"><code>${code}</code></a>`)
    return [`<dt>${status}</dt><dd>${links.join(', ')}</dd>`]
  })
  return `<dl class="refusals">${rows.join('')}</dl>`
}

function nameCode({ properties }: Schema): string {
  return escape(String(properties?.['code']?.const))
}

function renderErrors(schemas: Schemas): string {
  const errors = (schemas['Error']?.oneOf ?? []).map((error) => resolve(error, schemas))
  const items = errors.map((error) => {
    const name = nameCode(error)
    const sentence = nameType(error.properties?.['error'] ?? {}, schemas)
    const remark = prose(error.description ?? '')
    return renderItem({ name, id: name, remark, meaning: `<p>${sentence}</p>` })
  })
  return `<section id="errors">
<h2>Errors</h2>
<p>Every answer that is not a 200 has a <code>code</code>, the sentence of that code as <code>error</code>, and these fields:</p>
${renderShared(errors, schemas)}
<h3>Codes</h3>
${renderItems(items)}
</section>`
}
