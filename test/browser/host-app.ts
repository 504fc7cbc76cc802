/** A host application on an origin of its own, which embeds the element. */

import { createServer } from 'node:http'
import { listen, stop } from '../../scripts/lib/local-server.ts'

/** What the page of the application depends on. */
export interface HostPage {
  vault: string
  user: string
  /** The tokens that `getToken` returns, one after another. The last one is repeated. */
  tokens: string[]
  attributes?: string
  /** The language of the page; by default, English. */
  lang?: string
  /** Loads the element by its pinned URL. */
  pinned?: { url: string; integrity: string }
  /** What the page has below the element, in HTML. */
  below?: string
  /** The page's own style of the element. */
  style?: string
  /** The Content Security Policy. The page's own script and style have the nonce `host`. */
  policy?: string
}

/** The page. `window.events` holds the events of the element, and `window.breaches` those of the policy. */
function renderPage({
  vault,
  user,
  tokens,
  attributes = '',
  lang = 'en',
  pinned,
  below = '',
  style = '',
  policy = '',
}: HostPage): string {
  const { url = '/api-key-settings.js', integrity = '' } = pinned ?? {}
  return `<!doctype html>
<html lang="${lang}">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width">
<title>Host application</title>
<link rel="icon" href="data:,">
<style nonce="host">:root { color-scheme: light dark } body { margin: 16px; background: Canvas; font-family: sans-serif } ${style}</style>
<script type="module" src="${vault}${url}" integrity="${integrity}" crossorigin></script>
<main>
<h1>Settings</h1>
<h2>API keys</h2>
<api-key-settings base-url="${vault}" user-id="${user}" ${attributes}></api-key-settings>
${below}
</main>
<script nonce="host">
  window.breaches = []
  document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
    window.breaches.push(violatedDirective + ' ' + blockedURI)
  })
  const settings = document.querySelector('api-key-settings')
  const tokens = ${JSON.stringify(tokens)}
  window.events = []
  window.refreshes = []
  settings.getToken = async ({ refresh }) => {
    window.refreshes.push(refresh)
    return tokens.length > 1 ? tokens.shift() : tokens[0]
  }
  for (const type of ['saved', 'deleted', 'error']) {
    settings.addEventListener(type, ({ detail }) => {
      const { code, message, ...rest } = detail
      window.events.push({ type, ...(type === 'error' ? { code, message } : rest) })
    })
  }
</script>
</html>`
}

/** Starts it. `open` and `openHtml` return the address of a page. */
export async function startHostApp() {
  const pages: string[] = []
  const server = createServer((request, response) => {
    const page = pages[Number(request.url?.slice(1))]
    response.writeHead(page === undefined ? 404 : 200, { 'Content-Type': 'text/html' })
    response.end(page)
  })
  const origin = `http://127.0.0.1:${await listen(server)}`
  const openHtml = (html: string): string => `${origin}/${pages.push(html) - 1}`
  return {
    origin,
    open: (page: HostPage): string => openHtml(renderPage(page)),
    openHtml,
    close: async () => stop(server),
  }
}
