/** Limits what a client's address may do without a valid token. */

import { VaultError } from '../errors.ts'
import { requireRate } from '../rate.ts'
import type { Service } from '../service.ts'
import { CODES } from '../shared/error-code.ts'
import type { AccessToken } from '../tokens/access-token.ts'

/** Cloudflare sets it, whatever the client sends. */
const ADDRESS_HEADER = 'cf-connecting-ip'
/**
 * The address that the Workers of all other zones share. If it was counted, one of them could block all others:
 * https://developers.cloudflare.com/fundamentals/reference/http-headers/#cf-connecting-ip-in-worker-subrequests
 */
const OTHER_WORKERS = '2a06:98c0:3600::103'

/** A client whose requests are counted. */
interface Client {
  limiter: RateLimit
  /** An IPv4 address, or the network of an IPv6 address. */
  address: string
}

/** Counts a request that needs no token. @throws VaultError `rate_limited` */
export async function requireAddressRate(service: Service, sent: Headers): Promise<void> {
  const client = clientOf(service, sent)
  if (client !== null) await requireRate(client.limiter, `open ${client.address}`)
}

/**
 * Verifies the token that `readToken` finds, and returns what `check` makes of it. Only refused tokens are counted: a valid
 * one costs no call of the limiter, and is accepted from any address, because many users may share an address with somebody
 * who tries tokens.
 *
 * @throws VaultError `rate_limited`, and as `readToken`, `VerifyToken` and `check`
 */
export async function checkToken<T>(
  service: Service,
  sent: Headers,
  { readToken, check }: { readToken: () => string; check: (token: AccessToken) => T },
): Promise<T> {
  const client = clientOf(service, sent)
  try {
    return check(await service.verifyToken(readToken()))
  } catch (error) {
    const { code } = VaultError.from(error)
    const isRefused = CODES[code].status === 401
    if (client !== null && isRefused) await countRefused(client)
    throw error
  }
}

/**
 * Null if the client cannot be counted. Without an address, as behind another Worker, all clients would share
 * one count, and one of them could block the others.
 */
function clientOf({ settings: { addressLimiter: limiter } }: Service, sent: Headers) {
  const address = sent.get(ADDRESS_HEADER)
  if (limiter === null || address === null || address === OTHER_WORKERS) return null
  return { limiter, address: address.includes(':') ? networkOf(address) : address }
}

/** The first 64 bits of an IPv6 address: a client has all addresses that begin with them. */
function networkOf(address: string): string {
  const [first = [], last = []] = address.split('::').map((part) => part.split(':').filter(Boolean))
  const zeros = Array.from({ length: Math.max(0, 8 - first.length - last.length) }, () => '0')
  return [...first, ...zeros, ...last].slice(0, 4).join(':')
}

/** @throws VaultError `rate_limited` if the address sent too many refused tokens */
async function countRefused({ limiter, address }: Client): Promise<void> {
  const detail = 'Too many requests without a valid token came from this network address.'
  await requireRate(limiter, `refused ${address}`, detail)
}
