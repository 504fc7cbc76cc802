import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { readSession } from './session'
import { Settings } from './settings'

const app = document.getElementById('app')
const { userId } = await readSession()
if (app !== null) {
  createRoot(app).render(
    <StrictMode>
      <Settings userId={userId} />
    </StrictMode>,
  )
}
