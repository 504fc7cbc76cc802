/** Validates a part of a request with a schema. Hono's own validator reads forms and cookies too: 0.9 KB gzipped. */

import type { HonoRequest } from 'hono'
import { createMiddleware } from 'hono/factory'
import * as z from 'zod/mini'
import { _isoDateTime } from 'zod/v4/core'
import type { VaultError } from '../errors.ts'
import { readJson } from './json-body.ts'

/** Makes the refusal of `value`. */
type Refuse = (issue: z.core.$ZodIssue | undefined, value: unknown) => VaultError

/** Requires what `schema` says of the body or the query. `c.req.valid()` then has it, and Hono's typed client its type. */
export function requireValid<
  Target extends 'json' | 'query',
  Schema extends z.ZodMiniType<object, object>,
>(target: Target, schema: Schema, refuse: Refuse) {
  type Input = {
    in: Record<Target, z.input<Schema>>
    out: Record<Target, z.output<Schema>>
  }
  return createMiddleware<object, string, Input>(async (c, next) => {
    const value = target === 'json' ? await readJson(c.req) : readQuery(c.req)
    const parsed = schema.safeParse(value)
    if (!parsed.success) throw refuse(parsed.error.issues[0], value)
    c.req.addValidatedData(target, parsed.data)
    await next()
  })
}

/** `z.iso.datetime`, without the other formats of `z.iso`: a bundler takes such a namespace as a whole. */
export function isoTime(params: Parameters<typeof z.iso.datetime>[0]): z.ZodMiniISODateTime {
  return _isoDateTime(z.ZodMiniISODateTime, params)
}

/** A parameter that is given several times is an array, so that a schema refuses it. */
function readQuery(request: HonoRequest): Record<string, unknown> {
  const parameters = Object.entries(request.queries())
  return Object.fromEntries(
    parameters.map(([name, values]) => [name, values.length === 1 ? values[0] : values]),
  )
}
