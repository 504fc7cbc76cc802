import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { readOwner, teamOwner, userOwner } from '../../src/shared/owner.ts'
import { anyText } from '../crypto/any-text.ts'

/** Ids, and more of those that look like a text of a team than chance would give. */
const id = fc
  .oneof(
    anyText(20),
    fc.tuple(fc.constantFrom('team:', '~team:', '~~team:', '~', 'team', 'Team:'), anyText(5)),
    fc.string({ unit: fc.constantFrom('~', 'team', ':', 'a', '\n'), maxLength: 6 }),
  )
  .map((parts) => (typeof parts === 'string' ? parts : parts.join('')))

it('gives back the id and the kind of each owner', () => {
  fc.assert(
    fc.property(id, (any) => {
      expect(readOwner(userOwner(any))).toEqual({ kind: 'user', id: any })
      expect(readOwner(teamOwner(any))).toEqual({ kind: 'team', id: any })
    }),
  )
})

it('gives no user the text of a team, and no two users one text', () => {
  fc.assert(
    fc.property(id, id, (one, other) => {
      expect(userOwner(one)).not.toBe(teamOwner(other))
      expect(userOwner(one) === userOwner(other)).toBe(one === other)
      expect(teamOwner(one) === teamOwner(other)).toBe(one === other)
    }),
  )
})

it('reads each text as one owner, whose text it is', () => {
  fc.assert(
    fc.property(id, (text) => {
      const { kind, id: read } = readOwner(text)
      expect(kind === 'team' ? teamOwner(read) : userOwner(read)).toBe(text)
    }),
  )
})

it('changes no user id but those that begin like the text of a team', () => {
  fc.assert(
    fc.property(id, (any) => {
      expect(userOwner(any) === any).toBe(!/^~*team:/.test(any))
    }),
  )
})

it.for([
  ['acme', 'acme'],
  ['team', 'team'],
  ['~acme', '~acme'],
  ['Team:acme', 'Team:acme'],
  [' team:acme', ' team:acme'],
  ['\nteam:acme', '\nteam:acme'],
  ['auth0|team:acme', 'auth0|team:acme'],
  ['team:', '~team:'],
  ['team:acme', '~team:acme'],
  ['team:team:acme', '~team:team:acme'],
  ['~team:acme', '~~team:acme'],
])('the user %j has the text %j', ([userId = '', text]) => {
  expect(userOwner(userId)).toBe(text)
})

it.for([
  ['acme', 'team:acme'],
  ['team:acme', 'team:team:acme'],
  ['~acme', 'team:~acme'],
])('the team %j has the text %j', ([teamId = '', text]) => {
  expect(teamOwner(teamId)).toBe(text)
})
