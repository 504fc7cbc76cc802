/** The answers that a provider's description names, such as those to a bad key, and whether an answer is one of them. */

import * as z from 'zod/mini'
import { isJsonObject, isWhole, parseJson } from '../shared/json.ts'
import { isTableOf } from '../shared/variable.ts'

const STATUS = 'must be a status from 400 to 499, or 200 for an answer to the probe'

const FIELD = 'must be names of JSON fields separated by dots, such as error.code'

const VALUE =
  'must be a number, true, false, or a text that is not only *, with at most one * in each word'

const REASON = 'must be revoked, leaked or suspended'

/**
 * An answer that means one thing: a status and, if that status can mean something else too, a field of the JSON body with
 * its value. Name a field that only the provider writes, and never one that repeats what a caller sent.
 */
const answerFields = {
  status: z.custom<number>(isKnownStatus, STATUS),
  /** Where the value is. Each name may lead to an object, or to a list of objects. */
  field: z.optional(z.string(FIELD).check(z.regex(/^[\w-]+(?:\.[\w-]+)*$/, FIELD))),
  /** It is compared as a whole. In a text, `*` stands for one word, such as a masked key. */
  value: z.optional(z.custom<string | number | boolean>(isFieldValue, VALUE)),
}

interface Fields {
  status: number
  field?: string | undefined
  value?: unknown
}

const hasBoth = z.refine<Fields>(
  ({ field, value }) => (field === undefined) === (value === undefined),
  'must have both a field and a value, or neither',
)

const isTold = z.refine<Fields>(
  ({ status, field }) => status !== 200 || field !== undefined,
  'has the status 200, so it must have a field and a value',
)

export const answerPattern = z.strictObject(answerFields, isTableOf).check(hasBoth, isTold)

export const refusalPattern = z
  .strictObject(
    {
      ...answerFields,
      /** Why the key is rejected, if this answer says so. */
      reason: z.optional(z.enum(['revoked', 'leaked', 'suspended'], REASON)),
    },
    isTableOf,
  )
  .check(hasBoth, isTold)

/** An answer that a provider's description tells from others. */
export type AnswerPattern = z.output<typeof answerPattern>

/** An answer that rejects a key. */
export type RefusalPattern = z.output<typeof refusalPattern>

/** A longer body matches nothing, even if it is JSON: providers answer with short ones. */
export const MAX_MATCHED_BYTES = 16_384

/** Whether a pattern wants a field in the body of an answer with this status. */
export function needsBody(patterns: readonly AnswerPattern[], status: number): boolean {
  return patterns.some((one) => one.status === status && one.field !== undefined)
}

/**
 * The pattern that an answer fits: the first one with a field, and otherwise one of the status alone. If its body is not JSON,
 * or was not read, only its status can fit. Values are compared as a whole, so a longer text that repeats a caller's words does
 * not fit.
 */
export function findPattern<Pattern extends AnswerPattern>(
  patterns: readonly Pattern[],
  status: number,
  body: Uint8Array | null,
): Pattern | undefined {
  const isRead = needsBody(patterns, status) && body !== null && body.length <= MAX_MATCHED_BYTES
  const json = isRead ? parseJson(new TextDecoder().decode(body)) : null
  const ofStatus = patterns.filter((one) => one.status === status)
  return (
    ofStatus.find(
      ({ field, value }) =>
        field !== undefined && valuesAt(json, field).some((found) => isValue(found, value)),
    ) ?? ofStatus.find(({ field }) => field === undefined)
  )
}

/** The values of a field that is named by a dotted path. It passes through lists: Google wraps an error in one. */
function valuesAt(json: unknown, field: string): unknown[] {
  let values = [json]
  for (const name of field.split('.')) {
    values = values
      .flat()
      .flatMap((one) => (isJsonObject(one) && Object.hasOwn(one, name) ? [one[name]] : []))
  }
  return values.flat()
}

function isValue(found: unknown, value: AnswerPattern['value']): boolean {
  if (typeof value !== 'string' || typeof found !== 'string') return found === value
  const words = found.split(' ')
  const wanted = value.split(' ')
  return words.length === wanted.length && wanted.every((word, at) => isWord(words[at], word))
}

/** Whether a word is the wanted one, in which `*` stands for at least one character. */
function isWord(word = '', wanted: string): boolean {
  const [start = '', end] = wanted.split('*')
  if (end === undefined) return word === wanted
  const isLonger = word.length > start.length + end.length && !/\s/.test(word)
  return isLonger && word.startsWith(start) && word.endsWith(end)
}

function isKnownStatus(status: unknown): boolean {
  return status === 200 || isWhole(status, 400, 499)
}

/** A text must have more than `*` and white space. Each of its words may have one `*`. */
function isFieldValue(value: unknown): boolean {
  if (typeof value !== 'string') return typeof value === 'number' || typeof value === 'boolean'
  return /[^*\s]/.test(value) && !value.split(' ').some((word) => /\*.*\*/.test(word))
}
