import { readUserId } from './session'
import { Settings } from './settings'

export default async function Page() {
  const userId = await readUserId()
  return (
    <main>
      <h1>Settings in Next.js</h1>
      <Settings userId={userId} />
    </main>
  )
}
