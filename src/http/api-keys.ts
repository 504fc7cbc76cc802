/** The routes of users and teams and their API keys, as a Hono app that any other app can mount. */

import type { Context, MiddlewareHandler } from 'hono'
import { HonoBase as Hono } from 'hono/hono-base'
import { PatternRouter } from 'hono/router/pattern-router'
import type { Routes } from '../callers/client.ts'
import { authorize } from '../door/authorize.ts'
import { authorizeTeam } from '../door/team.ts'
import { OWNER, type SlotOwner } from '../keys/stored-key.ts'
import { openService, type Service } from '../service.ts'
import { namesIn } from '../shared/json.ts'
import { teamOwner, userOwner } from '../shared/owner.ts'
import { ROUTES, type GuardedOperation, type Route, type Table } from '../shared/routes.ts'
import { DEFAULT_SLOT } from '../shared/slot.ts'
import { answerError, answerJson, type AnswerVariables, tagOf } from './answer.ts'
import { readBody } from './bodies.ts'
import { tokenHeaders } from './front.ts'
import { userHandlers, type ApiKeysEnv, type Handlers } from './handlers.ts'
import { readPrecondition, readQuery, requireEncoded } from './parameters.ts'
import { teamHandlers } from './team-handlers.ts'

const handlers: Handlers = { ...userHandlers, ...teamHandlers }

/** Serves an operation: its checks in the order of the contract, then its work. */
function serve<Id extends GuardedOperation>(id: Id, work: Handlers[Id] = handlers[id]) {
  const { query, body } = ROUTES[id]
  const { tokens, tags, changesUse }: Route = ROUTES[id]
  return async (c: Context<ApiKeysEnv>): Promise<Response> => {
    const service = await openService(c.env)
    const owner = await enter(service, c, tokens)
    const answer = await work(
      {
        owner,
        slot: c.req.param('provider') ?? DEFAULT_SLOT,
        query: readQuery<Table[Id]['query']>(query, c.req),
        body: await readBody<Table[Id]['body']>(body, c.req),
        condition: tags === 'requires' || tags === 'both' ? readPrecondition(c) : null,
      },
      c,
    )
    if (answer instanceof Response) return answer
    const isTagged = tags === 'answers' || tags === 'both'
    const { useFreshSeconds: effective_within_s } = service.settings
    const isLate = changesUse === true && effective_within_s > 0
    const shown = isLate ? { ...answer, effective_within_s } : answer
    return answerJson(c, shown, { headers: isTagged ? tagOf(answer) : {} })
  }
}

/**
 * Lets a request in. It returns whose slots it works on, and who works on them.
 *
 * @throws as `authorize` and `authorizeTeam`
 */
async function enter(
  service: Service,
  c: Context<ApiKeysEnv>,
  tokens: Route['tokens'],
): Promise<SlotOwner> {
  const sent = tokenHeaders(c, service.settings.tokenHeader)
  const [id, teamId] = [c.req.param('userId'), c.req.param('teamId')]
  const user = id === undefined ? null : ({ kind: 'user', id } as const)
  const who =
    teamId === undefined
      ? await authorize(service, sent, { owner: user, tokens })
      : await authorizeTeam(service, sent, { teamId, tokens })
  const userId = teamId === undefined ? userOwner(id ?? '') : teamOwner(teamId)
  const owner = { service, userId, requestId: c.get('requestId') }
  if (who === null) return { ...owner, by: OWNER }
  if (typeof who === 'string') {
    c.set('server', who)
    requireEncoded(c.req)
    return { ...owner, by: { kind: 'operator', name: who } }
  }
  return { ...owner, by: OWNER, ...who }
}

/** The routes of users and teams as another app mounts them, without `/api`. */
type OwnRoutes = {
  [
    Path in keyof Routes as Path extends `/api${infer Rest extends `/${'users' | 'teams'}${string}`}`
      ? Rest
      : never
  ]: Routes[Path]
}

/** The routes that need a token. They throw their errors. */
export const apiKeyRoutes = new Hono<ApiKeysEnv, OwnRoutes>({ router: new PatternRouter() })

for (const id of namesIn(handlers)) {
  const { method, path } = ROUTES[id]
  apiKeyRoutes.on(method, path.slice('/api'.length), serve(id))
}

/** Keeps answers about keys out of every cache. */
export const noStore: MiddlewareHandler<{ Variables: AnswerVariables }> = async (c, next) => {
  const headers = c.get('answerHeaders')
  if (headers === undefined) c.header('Cache-Control', 'no-store')
  else headers['Cache-Control'] = 'no-store'
  await next()
}

/** The same routes for another app. They answer and log their own errors, and stay out of caches. */
export const apiKeys = /* @__PURE__ */ forAnotherApp()

/** Its call is marked as pure, so that the bundle of the vault's own Worker leaves it out. */
function forAnotherApp() {
  return new Hono<ApiKeysEnv>({ router: new PatternRouter() })
    .onError((error, c) => answerError(error, c))
    .use('/users/*', noStore)
    .use('/teams/*', noStore)
    .route('/', apiKeyRoutes)
}
