/** A JSON Schema of the OpenAPI document as a list of fields in HTML. */

/** As much of JSON Schema as zod makes of the schemas of the API. */
export interface Schema {
  $ref?: string
  type?: string | string[]
  format?: string
  const?: unknown
  enum?: unknown[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  items?: Schema
  properties?: Record<string, Schema>
  required?: string[]
  description?: string
}

export type Schemas = Record<string, Schema>

/** `text` as HTML, with code where it has backticks. */
export function prose(text: string): string {
  return escape(text).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
}

/** `text` as HTML. */
export function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

/** The schema that `schema` refers to, or itself. */
export function resolve(schema: Schema, schemas: Schemas): Schema {
  const name = schema.$ref?.split('/').at(-1)
  return (name !== undefined && schemas[name]) || schema
}

/** The fields of an object. Of a union, first the fields that all have, then the other ones of each. */
export function renderFields(schema: Schema, schemas: Schemas): string {
  const variants = variantsOf(schema, schemas)
  const shared = renderShared(variants, schemas)
  if (variants.length === 1) return shared
  const names = sharedFields(variants)
  const items = variants.map(
    (variant) => `<li>${renderList(variant, (name) => !names.has(name), schemas)}</li>`,
  )
  const lead = shared === '' ? 'One' : 'And one'
  return `${shared}<p>${lead} of these:</p><ul class="variants">${items.join('\n')}</ul>`
}

/** The fields that are the same in all `variants`. */
export function renderShared(variants: Schema[], schemas: Schemas): string {
  const names = sharedFields(variants)
  return renderList(variants[0] ?? {}, (name) => names.has(name), schemas)
}

function sharedFields([first, ...others]: Schema[]): Set<string> {
  const isShared = (name: string) =>
    others.every((other) => nameField(other, name) === nameField(first, name))
  return new Set(Object.keys(first?.properties ?? {}).filter(isShared))
}

function nameField(schema: Schema | undefined, name: string): string {
  return JSON.stringify([schema?.properties?.[name], schema?.required?.includes(name)])
}

/** The objects that `schema` is a union of. */
function variantsOf(schema: Schema, schemas: Schemas): Schema[] {
  const { anyOf, oneOf, ...alone } = resolve(schema, schemas)
  const union = anyOf ?? oneOf
  return union === undefined ? [alone] : union.flatMap((member) => variantsOf(member, schemas))
}

function renderList(
  { properties = {}, required = [] }: Schema,
  isShown: (name: string) => boolean,
  schemas: Schemas,
): string {
  const fields = Object.entries(properties).filter(([name]) => isShown(name))
  if (fields.length === 0) return ''
  const items = fields.map(([name, field]) =>
    renderItem({
      name,
      remark: nameType(field, schemas) + (required.includes(name) ? '' : ', optional'),
      meaning: renderMeaning(field, schemas),
    }),
  )
  return renderItems(items)
}

/** The list of `items`. */
export function renderItems(items: string[]): string {
  return `<ul class="fields">${items.join('\n')}</ul>`
}

interface Item {
  name: string
  id?: string
  /** What follows the name, in HTML. */
  remark: string
  /** In HTML. */
  meaning: string
}

/** A name and what it means. */
export function renderItem({ name, id, remark, meaning }: Item): string {
  const anchor = id === undefined ? '' : ` id="${id}"`
  const line = `<code>${escape(name)}</code> <span>${remark}</span>`
  return `<li${anchor}><p>${line}</p>${meaning}</li>`
}

function renderMeaning(field: Schema, schemas: Schemas): string {
  const description = field.description === undefined ? '' : `<p>${prose(field.description)}</p>`
  const object = findObject(field, schemas)
  if (object === null) return description
  return `${description}<div class="nested">${renderFields(object, schemas)}</div>`
}

/** The object in a field, which may be in an array or be null; null if there is none. */
function findObject(field: Schema, schemas: Schemas): Schema | null {
  const { items, anyOf, properties, ...rest } = resolve(field, schemas)
  if (properties !== undefined) return { ...rest, properties }
  if (items !== undefined) return findObject(items, schemas)
  const objects = anyOf?.filter((member) => findObject(member, schemas) !== null) ?? []
  return objects.length === 0 ? null : { anyOf: objects }
}

/** What a field can be, as words. */
export function nameType(field: Schema, schemas: Schemas): string {
  const { const: only, enum: values, anyOf, items, type, format } = resolve(field, schemas)
  if (only !== undefined) return nameValues([only])
  if (values !== undefined) return nameValues(values)
  if (anyOf !== undefined) {
    return [...new Set(anyOf.map((member) => nameType(member, schemas)))].join(' or ')
  }
  if (items !== undefined) return `array of ${nameType(items, schemas)}s`
  const types = [type ?? 'object'].flat().join(' or ')
  return format === undefined ? types : `${types} (${format})`
}

function nameValues(values: unknown[]): string {
  return values.map((value) => `<code>${escape(JSON.stringify(value))}</code>`).join(' or ')
}
