import * as z from 'zod/mini'
import { describe, expect, it } from 'vitest'
import {
  bindingWith,
  confidentialUrl,
  exactText,
  flag,
  listOf,
  orNull,
  settingsOf,
  splitList,
  wholeNumber,
} from '../../src/shared/variable.ts'

const few = wholeNumber((text) => /^[0-9]$/.test(text), 'must be a number to 9')
const queue = bindingWith<Queue>('send', 'must be a queue')

describe('the forms of variables', () => {
  it.for<[name: string, form: z.ZodMiniType, value: unknown, fault: string]>([
    ['a text', exactText, 'a b', 'none'],
    ['a text with a space after it', exactText, 'a ', 'has white space around it'],
    ['a number as text', exactText, 7, 'must be a string'],
    ['an https: URL', confidentialUrl, 'https://id.test/', 'none'],
    ['an http: URL', confidentialUrl, 'http://id.test/', 'must be an https: URL without'],
    ['a list as URL', confidentialUrl, ['https://id.test/'], 'must be a string'],
    ['a list', listOf(flag), 'true, false', 'none'],
    ['a list with a wrong item', listOf(flag), 'true,yes', 'must be "true" or "false"'],
    ['an array as list', listOf(flag), ['true'], 'must be a string'],
    ['a number as list', listOf(flag, 'must be true,false'), 7, 'must be true,false'],
    ['a flag', flag, 'true', 'none'],
    ['a flag in upper case', flag, 'TRUE', 'must be "true" or "false"'],
    ['a boolean as flag', flag, true, 'must be "true" or "false"'],
    ['a number', few, '7', 'none'],
    ['a number that is too high', few, '10', 'must be a number to 9'],
    ['a number that is not text', few, 7, 'must be a string'],
    ['a binding', queue, { send: () => null }, 'none'],
    ['a binding of another kind', queue, { get: () => null }, 'must be a queue'],
    ['a name as binding', queue, 'send', 'must be a queue'],
    ['null as binding', queue, null, 'must be a queue'],
    ['nothing', orNull(flag), undefined, 'none'],
    ['null as flag', orNull(flag), null, 'must be "true" or "false"'],
  ])('judges %s', ([, form, value, fault]) => {
    const [issue] = form.safeParse(value).error?.issues ?? []
    expect(issue?.message ?? 'none').toContain(fault)
  })

  it('reads a flag and a number, and null for nothing', () => {
    expect([flag.parse('true'), flag.parse('false')]).toEqual([true, false])
    expect([few.parse('7'), orNull(few).parse('7'), orNull(few).parse(undefined)]).toEqual([
      7,
      7,
      null,
    ])
  })

  it('names a setting as its variable, in camelCase', () => {
    const table = { DB: queue, EVENTS_KEPT_DAYS: few, VERIFY_ON_SAVE: orNull(flag) }
    const db = { send: () => null }
    const settings = settingsOf(
      table,
      z.object(table).parse({ DB: db, EVENTS_KEPT_DAYS: '9', OTHER: 1 }),
    )
    expect(settings).toEqual({ db, eventsKeptDays: 9, verifyOnSave: null })
  })

  it('splits a list at its commas, and anything else into nothing', () => {
    expect(splitList(' a, b ,c')).toEqual(['a', 'b', 'c'])
    expect([splitList('a,'), splitList(undefined), splitList(['a'])]).toEqual([['a', ''], [], []])
  })
})
