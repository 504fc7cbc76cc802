/** The names in the table of routes stand for the types that the schemas have. */

import { expectTypeOf, it } from 'vitest'
import type * as z from 'zod/mini'
import type { bodySchemas } from '../../src/http/bodies.ts'
import type { querySchemas } from '../../src/http/parameters.ts'
import type { Bodies, Queries } from '../../src/shared/routes.ts'

/** A type without its intersections, which a comparison of types would see. */
type Plain<T> = { [Name in keyof T]: { [Field in keyof T[Name]]: T[Name][Field] } }
type Named<T> = Plain<Omit<T, 'None'>>
type Taken<T extends Record<string, z.ZodMiniType>> = { [Name in keyof T]: z.input<T[Name]> }
type Read<T extends Record<string, z.ZodMiniType>> = { [Name in keyof T]: z.output<T[Name]> }

it('each body and query has the type that its schema takes and returns', () => {
  expectTypeOf<Plain<Taken<typeof bodySchemas>>>().toEqualTypeOf<Named<Bodies>>()
  expectTypeOf<Plain<Read<typeof bodySchemas>>>().toEqualTypeOf<Named<Bodies>>()
  expectTypeOf<Plain<Taken<typeof querySchemas>>>().toEqualTypeOf<Named<Queries>>()
  expectTypeOf<Plain<Read<typeof querySchemas>>>().toEqualTypeOf<Named<Queries>>()
})
