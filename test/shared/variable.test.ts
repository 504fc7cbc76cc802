import type * as z from 'zod/mini'
import { describe, expect, it, vi } from 'vitest'
import {
  bindingWith,
  confidentialUrl,
  exactText,
  flag,
  listOf,
  optional,
  orNull,
  readVariables,
  settingsOf,
  splitList,
  wholeNumber,
  withDefault,
  type Optional,
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
    ['null as flag', flag, null, 'must be "true" or "false"'],
  ])('judges %s', ([, form, value, fault]) => {
    const [issue] = form.safeParse(value).error?.issues ?? []
    expect(issue?.message ?? 'none').toContain(fault)
  })

  it('reads a flag and a number', () => {
    expect([flag.parse('true'), flag.parse('false'), few.parse('7')]).toEqual([true, false, 7])
  })

  it.for<[name: string, variable: Optional, unset: unknown]>([
    ['null', orNull(few), null],
    ['undefined', optional(few), undefined],
    ['its default', withDefault(few, 3), 3],
  ])('a variable that is not set is %s', ([, variable, unset]) => {
    const refuse = vi.fn<() => void>()
    const read = (env: object) => readVariables({ FEW: variable }, { ...env }, refuse)
    expect([read({}), read({ FEW: '7' })]).toEqual([{ FEW: unset }, { FEW: 7 }])
    expect(refuse).not.toHaveBeenCalled()
  })

  it('reports each issue of each variable, and returns nothing then', () => {
    const found: unknown[] = []
    const read = readVariables(
      { ONE: flag, FLAGS: orNull(listOf(flag)), OTHER: few },
      { FLAGS: 'yes,true,no', OTHER: '7' },
      (name, { path }) => found.push([name, path]),
    )
    expect(read).toBeNull()
    expect(found).toEqual([
      ['ONE', []],
      ['FLAGS', [0]],
      ['FLAGS', [2]],
    ])
  })

  it('names a setting as its variable, in camelCase', () => {
    const binding = bindingWith<{ send: () => null }>('send', 'must be a queue')
    const table = { DB: binding, EVENTS_KEPT_DAYS: few, VERIFY_ON_SAVE: orNull(flag) }
    const db = { send: () => null }
    const settings = settingsOf(table, { DB: db, EVENTS_KEPT_DAYS: 9, VERIFY_ON_SAVE: null })
    expect(settings).toEqual({ db, eventsKeptDays: 9, verifyOnSave: null })
  })

  it('splits a list at its commas, and anything else into nothing', () => {
    expect(splitList(' a, b ,c')).toEqual(['a', 'b', 'c'])
    expect([splitList('a,'), splitList(undefined), splitList(['a'])]).toEqual([['a', ''], [], []])
  })
})
