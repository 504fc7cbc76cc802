/** The origins of `CORS_ORIGINS`: exact ones (RFC 6454 §6.2), and patterns whose `*` stands for one label. */

import * as z from 'zod/mini'

const LABEL = '[a-z0-9-]+'
const PATTERN = new RegExp(`^https://\\*\\.((?:${LABEL}\\.)+${LABEL})(?::\\d+)?$`)
const ONE_LABEL = new RegExp(`^${LABEL}$`)

/**
 * Hosts below which anybody gets a label: those of hosting, previews and tunnels. The Public Suffix List
 * (https://publicsuffix.org/list/) has far more. These are the hosts that a pattern is likely to be written for.
 */
const SHARED = new Set(
  `pages.dev workers.dev trycloudflare.com vercel.app now.sh netlify.app github.io gitlab.io web.app
  firebaseapp.com herokuapp.com onrender.com fly.dev deno.dev surge.sh glitch.me replit.app csb.app
  stackblitz.io ngrok.app ngrok-free.app ngrok-free.dev cloudfront.net amplifyapp.com lovable.app
  ondigitalocean.app bolt.host webflow.io framer.app supabase.co expo.app uk.com us.com eu.com de.com
  co.com eu.org hf.space streamlit.app r2.dev deno.net val.run koyeb.app lovableproject.com base44.app
  myshopify.com wordpress.com blogspot.com notion.site codesandbox.io codeberg.page readthedocs.io
  loca.lt ngrok.dev azureedge.net cloudapp.net trafficmanager.net`.split(/\s+/),
)

/** Hosts that give labels away below regions too, so nobody knows at which depth a host is one's own. */
const SHARED_AT_ANY_DEPTH =
  `amazonaws.com on.aws awsapprunner.com elasticbeanstalk.com appspot.com run.app hosted.app
  usercontent.goog azure.com windows.net azurewebsites.net azurestaticapps.net azurefd.net
  azurecontainerapps.io railway.app ngrok.io github.dev gitpod.io replit.dev webcontainer.io
  localhost`.split(/\s+/)

/** What registries of a country keep below its domain, as in `co.uk` and `com.au`. */
const SECOND_LEVEL =
  /^(?:ac|asso|biz|co|com|edu|go|gob|gouv|gov|ind|info|ltd|me|mil|ne|net|nhs|nom|or|org|plc|sch|web)\.[a-z]{2}$/

/** The form of an origin, or of a pattern of origins. */
export const webOrigin = z.string().check(
  z.refine(
    isOriginPattern,
    'is not an exact origin such as https://app.example.com, without a path or a slash at the end, or https://*.app.example.com for one label',
  ),
  z.refine(
    (text) => !isBelowSharedHost(text),
    'has a * below a host that others share; name one of your own, as in https://*.my-app.pages.dev',
  ),
)

/** Whether `text` is an origin of the web, an app or an extension, or a pattern of such origins. */
export function isOriginPattern(text: string): boolean {
  if (PATTERN.test(text)) return isWebOrigin(text.replace('*', 'a'))
  if (/^https?:/.test(text)) return !text.includes('*') && isWebOrigin(text)
  // URL has no origin for `capacitor://localhost`.
  return /^(?!(?:file|data|blob|ftp|wss?):)[a-z][a-z0-9+.-]*:\/\/[a-z0-9._-]+(?::\d+)?$/.test(text)
}

/** Whether `text` is a pattern below a host where strangers get labels too. */
export function isBelowSharedHost(text: string): boolean {
  const [, host] = PATTERN.exec(text) ?? []
  if (host === undefined) return false
  return (
    SHARED.has(host) ||
    SECOND_LEVEL.test(host) ||
    SHARED_AT_ANY_DEPTH.some((shared) => host === shared || host.endsWith(`.${shared}`))
  )
}

/** Whether one of the valid `patterns` allows `origin`: the scheme and the port are compared exactly. */
export function allowsOrigin(patterns: readonly string[], origin: string): boolean {
  return patterns.some((pattern) => {
    const [before = '', after] = pattern.split('*')
    if (after === undefined) return origin === pattern
    if (!origin.startsWith(before) || !origin.endsWith(after)) return false
    return ONE_LABEL.test(origin.slice(before.length, -after.length))
  })
}

function isWebOrigin(text: string): boolean {
  return URL.parse(text)?.origin === text
}
