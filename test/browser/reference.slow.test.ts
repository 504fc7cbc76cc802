import { describe, expect, it } from 'vitest'
import { findBarriers, setStage } from './stage.ts'

const { vault, openPage, openSettings } = await setStage()
const { origin } = vault.keyUrl

describe('the reference page', () => {
  it('the reference page leads to a route and its codes, and asks no other site for anything', async () => {
    const { page, faults, origins } = await openPage(`${origin}/reference`)
    await page.getByRole('link', { name: 'Save a key in a slot' }).click()
    const section = page.locator('section:target')
    expect(await section.locator('.call').textContent()).toBe(
      'PUT /api/users/{userId}/api-keys/{provider}',
    )
    await section.getByRole('link', { name: 'api_key_rejected' }).click()
    expect(await page.locator(':target').textContent()).toBe(
      'api_key_rejected Status 422."The provider rejected this API key"',
    )
    expect(faults()).toEqual([])
    expect(origins()).toEqual([origin])
  })

  it.for([
    [320, 'light'],
    [320, 'dark'],
    [1_280, 'light'],
    [1_280, 'dark'],
  ] as const)('the reference page has no barrier at %i px in %s', async ([width, colorScheme]) => {
    const viewport = { width, height: 800 }
    const { page } = await openPage(`${origin}/reference`, { viewport, colorScheme })
    const wider = ({ scrollWidth, clientWidth }: Element) => scrollWidth - clientWidth
    expect(await page.locator('html').evaluate(wider)).toBe(0)
    expect(await findBarriers(page)).toEqual([])
  })

  it('the reference page has a policy without scripts', async () => {
    const { headers } = await fetch(`${origin}/reference`)
    expect(headers.get('Content-Security-Policy')).toBe(
      "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(headers.get('X-Frame-Options')).toBe('DENY')
  })
})

it('a page of another origin reads the OpenAPI document', async () => {
  const { page } = await openSettings()
  const version = await page.evaluate(async (url) => {
    const { openapi }: { openapi: string } = await (await fetch(url)).json()
    return openapi
  }, `${origin}/openapi.json`)
  expect(version).toBe('3.1.1')
})
