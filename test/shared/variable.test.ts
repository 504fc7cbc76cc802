import * as z from 'zod/mini'
import { describe, expect, it } from 'vitest'
import { confidentialUrl, exactText, flag, listOf, splitList } from '../../src/shared/variable.ts'

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
  ])('judges %s', ([, form, value, fault]) => {
    const [issue] = form.safeParse(value).error?.issues ?? []
    expect(issue?.message ?? 'none').toContain(fault)
  })

  it('splits a list at its commas, and anything else into nothing', () => {
    expect(splitList(' a, b ,c')).toEqual(['a', 'b', 'c'])
    expect([splitList('a,'), splitList(undefined), splitList(['a'])]).toEqual([['a', ''], [], []])
  })
})
