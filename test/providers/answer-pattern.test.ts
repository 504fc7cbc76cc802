import { expect, it } from 'vitest'
import { findPattern, needsBody, type AnswerPattern } from '../../src/providers/answer-pattern.ts'

const CODE: AnswerPattern = { status: 401, field: 'error.code', value: 'bad_key' }
const SENTENCE: AnswerPattern = { status: 401, field: 'message', value: 'Bad key: *' }
const ALONE: AnswerPattern = { status: 403 }
const REASON: AnswerPattern = { status: 400, field: 'error.details.reason', value: 'KEY_INVALID' }
const OFF: AnswerPattern = { status: 200, field: 'disabled', value: true }
const NUMBER: AnswerPattern = { status: 402, field: 'code', value: 7 }
const ALL = [CODE, SENTENCE, ALONE, REASON, OFF, NUMBER]

const bytesOf = (text: string) => new TextEncoder().encode(text)

it.for<[name: string, status: number, body: string]>([
  ['its status alone', 403, ''],
  ['its status alone and any body', 403, 'text'],
  ['its field', 401, '{"error": {"code": "bad_key", "message": "…"}}'],
  ['its field after a byte order mark', 401, '\uFEFF{"error": {"code": "bad_key"}}'],
  ['its field in an escaped text', 401, '{"error": {"co\\u0064e": "bad\\u005fkey"}}'],
  ['its field in a list', 401, '[{"error": {"code": "other"}}, {"error": {"code": "bad_key"}}]'],
  ['a list of its values', 401, '{"error": {"code": ["bad_key"]}}'],
  ['its field behind a list', 400, '{"error": {"details": [{}, 7, {"reason": "KEY_INVALID"}]}}'],
  ['its field behind an object', 400, '{"error": {"details": {"reason": "KEY_INVALID"}}}'],
  ['its sentence and any word', 401, '{"message": "Bad key: abc"}'],
  ['true', 200, '{"disabled": true}'],
  ['its number', 402, '{"code": 7}'],
])('an answer with %s fits a pattern', ([, status, body]) => {
  expect(findPattern(ALL, status, bytesOf(body))).toBeDefined()
})

const DEEP = '['.repeat(8_000)

it.for<[name: string, status: number, body: string]>([
  ['another status', 404, '{"error": {"code": "bad_key"}}'],
  ['its value with another status', 400, '{"error": {"code": "bad_key"}}'],
  ['its value in another field', 401, '{"error": {"message": "bad_key", "param": "bad_key"}}'],
  ['its value in the same field elsewhere', 401, '{"input": {"error": {"code": "bad_key"}}}'],
  ['its value at the top', 401, '{"code": "bad_key"}'],
  ['its field as a text', 401, '{"error": "{\\"code\\": \\"bad_key\\"}"}'],
  ['its dotted name', 401, '{"error.code": "bad_key"}'],
  ['a longer value', 401, '{"error": {"code": "bad_key_2"}}'],
  ['its value in another case', 401, '{"error": {"code": "BAD_KEY"}}'],
  ['its sentence inside another', 401, '{"message": "You wrote: Bad key: abc"}'],
  ['its sentence and more words', 401, '{"message": "Bad key: abc def"}'],
  ['its sentence without a word', 401, '{"message": "Bad key: "}'],
  ['its sentence and two lines', 401, '{"message": "Bad key: abc\\ndef"}'],
  ['its sentence after another', 401, '{"message": "Model abc\\nBad key: abc"}'],
  ['its sentence as an object', 401, '{"message": {"Bad key: ": 1}}'],
  ['"true"', 200, '{"disabled": "true"}'],
  ['1 for true', 200, '{"disabled": 1}'],
  ['false', 200, '{"disabled": false}'],
  ['its number as a text', 402, '{"code": "7"}'],
  ['a field of each object', 401, '{"__proto__": {"error": {"code": "bad_key"}}}'],
  ['half of its JSON', 401, '{"error": {"code": "bad_key"}'],
  ['its words in a text', 401, 'error.code: bad_key'],
  ['its words in HTML', 401, '<title>{"error": {"code": "bad_key"}}</title>'],
  ['JSON after events', 401, 'data: {"error": {"code": "bad_key"}}\n\n'],
  ['null', 401, 'null'],
  ['an empty body', 401, ''],
  ['lists in lists', 401, DEEP + ']'.repeat(8_000)],
  ['a body over 16,384 bytes', 401, `{"error": {"code": "bad_key"}}${' '.repeat(16_384)}`],
])('an answer with %s fits no pattern', ([, status, body]) => {
  expect(findPattern(ALL, status, bytesOf(body))).toBeUndefined()
})

it('an answer whose body was not read fits by its status alone', () => {
  expect([findPattern(ALL, 401, null), findPattern(ALL, 403, null)]).toEqual([undefined, ALONE])
})

it('a body is needed for a status that has a field', () => {
  expect([200, 401, 403, 404].map((status) => needsBody(ALL, status))).toEqual([
    true,
    true,
    false,
    false,
  ])
})
