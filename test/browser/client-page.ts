/** A page whose script is a client of the vault, and nothing else. */

interface ClientPage {
  /** The origin of the vault, which serves the client. */
  vault: string
  user: string
  token: string
}

/** What `window.done` becomes: what the client says, step by step. */
export const SAID = [
  ['listed', false],
  ['examined', 'sk-good-of-1-client', 'name'],
  ['refused', 'api_key_rejected', 'OpenAI akzeptiert diesen Schlüssel nicht.'],
  ['saved', 'sk-good-...', 'active'],
  ['renewed', false, true],
  ['changed meanwhile', 'changed_meanwhile'],
  ['exported', true],
  ['deleted', false],
  ['unreachable', 'unreachable'],
  ['ended', 'AbortError'],
]

/** Returns the page. Its first token is not accepted. */
export function renderClientPage({ vault, user, token }: ClientPage): string {
  return `<!doctype html>
<html lang="de">
<link rel="icon" href="data:,">
<script type="module">
  import { createVaultClient, describeProblem, etagOf, examineKey } from '${vault}/browser.js'
  import de from '${vault}/browser.de.js'

  const asked = []
  const getToken = ({ refresh }) => {
    asked.push(refresh)
    return asked.length > 1 ? '${token}' : 'not a token'
  }
  const access = { userId: '${user}', getToken }
  const client = createVaultClient({ ...access, baseUrl: '${vault}' })
  const find = async () => {
    const { api_keys } = await client.listSlots()
    return { slots: api_keys, openai: api_keys.find(({ provider }) => provider === 'openai') }
  }
  const caught = (run) => run.then(() => null, (error) => error)

  async function use() {
    const said = []
    const { slots, openai } = await find()
    said.push(['listed', openai.has_api_key])
    const pasted = 'curl -H "Authorization: Bearer sk-good-of-1-client" https://api.openai.com'
    const { key, fault } = examineKey(pasted, slots)
    said.push(['examined', key, fault.reason])
    const etag = etagOf(openai)
    const refusal = await caught(client.saveSlot('openai', { api_key: 'sk-bad-of-a-client' }, { etag }))
    said.push(['refused', refusal.code, describeProblem(refusal, de, openai)])
    const { user } = await client.saveSlot('openai', { api_key: key }, { etag })
    said.push(['saved', user.api_key_preview, user.status])
    said.push(['renewed', ...asked.slice(0, 2)])
    said.push(['changed meanwhile', (await caught(client.deleteSlot('openai', { etag }))).code])
    const file = await client.downloadUser()
    said.push(['exported', (await file.text()).includes('sk-good-...')])
    await client.deleteSlot('openai', { etag: user.etag })
    said.push(['deleted', (await find()).openai.has_api_key])
    const nowhere = createVaultClient({ ...access, baseUrl: 'http://127.0.0.1:9' })
    said.push(['unreachable', (await caught(nowhere.listSlots())).code])
    said.push(['ended', (await caught(client.listSlots({ signal: AbortSignal.abort() }))).name])
    return said
  }
  window.done = use().catch(String)
</script>`
}

/** The expression that waits in the page for what the client says. */
export const WAIT = `new Promise((resolve) => {
  const look = () => (window.done === undefined ? setTimeout(look, 20) : resolve(window.done))
  look()
})`
