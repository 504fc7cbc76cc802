/** A real OpenID provider on localhost: RS256 access tokens for the vault, and a page to sign in. */

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { exportJWK, generateKeyPair } from 'jose'
import { errors, Provider } from 'oidc-provider'
import { listen, stop } from '../../scripts/lib/local-server.ts'

export const CLIENT_ID = 'settings-page'
export const AUDIENCE = 'https://vault.test/'

const NO_ICON = '<link rel="icon" href="data:,">'

const SIGN_IN = `<!doctype html><title>Sign in</title>${NO_ICON}
<form method="post"><label>Name <input name="name"></label><button>Continue</button></form>`

/** Ends the session without asking: the user has already clicked Sign out. */
const signOut = (form: string) => `<!doctype html><title>Signing out</title>${NO_ICON}${form}
<script>
  const form = document.getElementById('op.logoutForm')
  form.append(Object.assign(document.createElement('input'), { type: 'hidden', name: 'logout', value: 'yes' }))
  form.submit()
</script>`

interface Options {
  /** How long an access token is valid, in seconds. */
  lifetime: number
  /** Whether the token endpoint is on another origin than the issuer, as at Amazon Cognito. */
  hasTokenOrigin?: boolean
}

/** Starts the provider without a client. `register` adds the page at an origin. */
export async function startIdentityProvider({ lifetime, hasTokenOrigin = false }: Options) {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'rs-1', alg: 'RS256', use: 'sig' }
  let provider: Provider | undefined
  const grants: string[] = []

  /** The metadata with the token endpoint on its own origin. */
  async function describe(response: ServerResponse): Promise<void> {
    const own = await fetch(`${issuer}/.well-known/openid-configuration?own`)
    const metadata: object = await own.json()
    response.setHeader('Content-Type', 'application/json')
    response.setHeader('Access-Control-Allow-Origin', '*')
    response.end(JSON.stringify({ ...metadata, token_endpoint: `${tokenOrigin}/token` }))
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (provider === undefined) throw new Error('No page is registered')
    if (hasTokenOrigin && request.url === '/.well-known/openid-configuration') {
      await describe(response)
    } else if (!request.url?.startsWith('/interaction/')) {
      await provider.callback()(request, response)
    } else if (request.method === 'POST') {
      const name = new URLSearchParams(await text(request)).get('name') ?? ''
      const result = { login: { accountId: name } }
      await provider.interactionFinished(request, response, result, {
        mergeWithLastSubmission: false,
      })
    } else {
      response.setHeader('Content-Type', 'text/html').end(SIGN_IN)
    }
  }

  const open = () =>
    createServer((request, response) => {
      answer(request, response).catch((error: unknown) =>
        response.destroy(new Error(String(error))),
      )
    })
  const servers = hasTokenOrigin ? [open(), open()] : [open()]
  const [port = 0, tokenPort = port] = await Promise.all(servers.map(listen))
  const issuer = `http://localhost:${port}`
  const tokenOrigin = `http://localhost:${tokenPort}`

  function register(origin: string): void {
    provider = new Provider(issuer, {
      jwks: { keys: [key] },
      cookies: { keys: ['of-a-test'] },
      clients: [
        {
          client_id: CLIENT_ID,
          token_endpoint_auth_method: 'none',
          grant_types: ['authorization_code', 'refresh_token'],
          redirect_uris: [`${origin}/`],
          post_logout_redirect_uris: [`${origin}/`],
        },
      ],
      scopes: ['openid', 'profile', 'offline_access'],
      claims: { openid: ['sub'], profile: ['name'] },
      conformIdTokenClaims: false,
      findAccount: (_ctx, sub) => ({
        accountId: sub,
        claims: () => ({ sub, name: `${sub} at work` }),
      }),
      issueRefreshToken: (_ctx, client) => client.grantTypeAllowed('refresh_token'),
      interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
      loadExistingGrant: async ({ oidc }) => {
        const { client, session, provider: issuing } = oidc
        const grant = new issuing.Grant({
          clientId: client?.clientId,
          accountId: session?.accountId,
        })
        grant.addOIDCScope('openid profile offline_access')
        grant.addResourceScope(AUDIENCE, 'keys')
        await grant.save()
        return grant
      },
      features: {
        devInteractions: { enabled: false },
        rpInitiatedLogout: {
          enabled: true,
          logoutSource: (ctx, form) => void (ctx.body = signOut(form)),
        },
        resourceIndicators: {
          enabled: true,
          useGrantedResource: () => true,
          getResourceServerInfo: (_ctx, resource) => {
            if (resource !== AUDIENCE) throw new errors.InvalidTarget()
            const jwt = { sign: { alg: 'RS256' as const } }
            return {
              scope: 'keys',
              audience: AUDIENCE,
              accessTokenFormat: 'jwt',
              accessTokenTTL: lifetime,
              jwt,
            }
          },
        },
      },
    })
    provider.on('grant.success', ({ oidc }) => grants.push(String(oidc.params?.['grant_type'])))
  }

  return {
    issuer,
    tokenOrigin,
    register,
    /** The grant types of the tokens that were issued, in order. */
    grants,
    close: async () => void (await Promise.all(servers.map(stop))),
  }
}
