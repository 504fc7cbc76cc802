/** What a Lit template renders, without a browser. */

import { nothing } from 'lit'

/** Returns the HTML of a template. Attributes that Lit sets itself stay as they are written: `?disabled=true`. */
export function markupOf(value: unknown): string {
  if (value === nothing || value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map(markupOf).join('')
  if (typeof value === 'string') return value
  if (!isTemplate(value)) return JSON.stringify(value) ?? ''
  const { strings, values } = value
  return strings.map((text, index) => text + markupOf(values[index])).join('')
}

/** Returns the text of a template, with single spaces. */
export function textOf(value: unknown): string {
  return markupOf(value)
    .replaceAll(/<[^>]*>/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim()
}

/** Returns the texts of all `tag` elements. */
export function textsOf(value: unknown, tag: string): string[] {
  const elements = markupOf(value).matchAll(new RegExp(`<${tag}[ >].*?</${tag}>`, 'gs'))
  return Array.from(elements, ([element]) => textOf(element))
}

/** Returns the listeners of a template, such as that of a button. */
export function listenersOf(value: unknown): (() => void)[] {
  if (Array.isArray(value)) return value.flatMap(listenersOf)
  if (isTemplate(value)) return value.values.flatMap(listenersOf)
  return isListener(value) ? [value] : []
}

function isListener(value: unknown): value is () => void {
  return typeof value === 'function'
}

function isTemplate(value: unknown): value is { strings: readonly string[]; values: unknown[] } {
  return typeof value === 'object' && value !== null && 'strings' in value && 'values' in value
}
