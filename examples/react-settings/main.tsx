/** Shows the screen to the user who is signed in. */

import { createRoot } from 'react-dom/client'
import { createVaultClient, type ProblemLanguage } from 'user-key-vault/browser'
import { KeySettings } from './key-settings.tsx'

/** What your application knows. Here, the address of the page says it: `#vault=…&user=…&token=…`. */
const given = new URLSearchParams(location.hash.slice(1))

const vault = createVaultClient({
  baseUrl: given.get('vault') ?? '',
  userId: given.get('user') ?? '',
  getToken: async () => given.get('token') ?? '',
})

/** Each is a file of its own, which loads only for its users. */
const LANGUAGES: Record<string, () => Promise<{ default: ProblemLanguage }>> = {
  de: () => import('user-key-vault/browser/de'),
  fr: () => import('user-key-vault/browser/fr'),
  ja: () => import('user-key-vault/browser/ja'),
}

const [spoken = ''] = document.documentElement.lang.split('-')
const language = (await LANGUAGES[spoken]?.())?.default
const root = document.getElementById('app')
if (root !== null) createRoot(root).render(<KeySettings vault={vault} language={language} />)
