/** An HTTPS address for a server on localhost, since some SDKs refuse to open a WebSocket without TLS. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer } from 'node:tls'

/** Passes the bytes of each connection to the server at `url`. The certificate is self-signed. */
export async function startTls(url: string): Promise<{ url: string; close: () => void }> {
  const directory = mkdtempSync(join(tmpdir(), 'tls-'))
  const [key, cert] = [join(directory, 'key.pem'), join(directory, 'cert.pem')]
  const made = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', key]
  const signed = ['-out', cert, '-subj', '/CN=localhost', '-days', '1']
  execFileSync('openssl', ['req', '-x509', ...made, ...signed], { stdio: 'ignore' })
  const options = { key: readFileSync(key), cert: readFileSync(cert) }
  rmSync(directory, { recursive: true })
  const { hostname, port } = new URL(url)
  const server = createServer(options, (client) => {
    const upstream = connect(Number(port), hostname)
    client.pipe(upstream).pipe(client)
    client.on('error', () => upstream.destroy())
    upstream.on('error', () => client.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('The server has no port')
  return { url: `https://127.0.0.1:${address.port}`, close: () => void server.close() }
}
