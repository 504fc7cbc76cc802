/** Every SQL statement that makes a key or a user go is one of src/store/gone-keys.ts, which also makes the tombstone. */

import { globSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

/** The programs that work on a vault's database. */
const SOURCES = globSync('{src,scripts}/**/*.ts', {
  exclude: ['src/page/**', 'src/deletions.ts', 'scripts/bench/**'],
})

/** Each place in the sources that the pattern finds: the file, with what is found there. */
function placesOf(pattern: RegExp): string[] {
  const places = SOURCES.flatMap((path) => {
    const found = readFileSync(path, 'utf8').matchAll(pattern)
    return Array.from(found, ([text]) => `${path}: ${text.replace(/\s+/g, ' ')}`)
  })
  return places.toSorted()
}

it('the sources delete keys and users only in src/store/gone-keys.ts', () => {
  expect(placesOf(/\bDELETE\s+(?:FROM\s+(?:\w+|\$\{\w+)|\$\{\w+)/gi)).toEqual([
    'scripts/lib/demo-state.ts: DELETE FROM api_key_events',
    'src/import/imported-keys.ts: DELETE FROM imported_keys',
    'src/import/imported-keys.ts: DELETE FROM imported_keys',
    'src/import/removed-users.ts: DELETE FROM removed_users',
    'src/import/removed-users.ts: DELETE FROM removed_users',
    'src/store/events.ts: DELETE FROM api_key_events',
    'src/store/events.ts: DELETE FROM api_key_events',
    'src/store/gone-keys.ts: DELETE ${keys',
    'src/store/gone-keys.ts: DELETE FROM gone_keys',
    'src/store/gone-keys.ts: DELETE FROM users',
    'src/store/limits.ts: DELETE FROM member_uses',
  ])
})

it('the sources do not replace a row in a way that would delete it', () => {
  expect(placesOf(/\b(?:OR\s+REPLACE|REPLACE\s+INTO|DROP\s+TABLE)\b/gi)).toEqual([])
})

it('the sources give a key or a user another identity in three statements', () => {
  expect(placesOf(/\bidentity = (?:excluded|lower)\b|\bexport const REPLACE_KEY\b/g)).toEqual([
    'src/store/api-keys.ts: export const REPLACE_KEY',
    'src/store/api-keys.ts: identity = excluded',
    'src/store/users.ts: identity = excluded',
  ])
  expect(placesOf(/\$\{REPLACE_KEY\}/g)).toEqual([
    'src/import/imported-keys.ts: ${REPLACE_KEY}',
    'src/store/api-keys.ts: ${REPLACE_KEY}',
  ])
})

it('the statements that replace a key are made with replaceKey and replaceKeys', () => {
  expect(placesOf(/\b(?:upsertKey|replaceKeys?)\(/g)).toEqual([
    // The key of a user whom the same batch adds and deletes.
    'scripts/doctor/stored-keys.ts: upsertKey(',
    'src/import/imported-keys.ts: replaceKeys(',
    'src/keys/save.ts: replaceKey(',
    'src/keys/save.ts: upsertKey(',
    'src/store/api-keys.ts: upsertKey(',
    'src/store/gone-keys.ts: replaceKey(',
    'src/store/gone-keys.ts: replaceKeys(',
  ])
})
