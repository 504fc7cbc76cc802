/** Which origins and patterns CORS_ORIGINS takes, and what they allow. */

import { describe, expect, it } from 'vitest'
import { allowsOrigin, isBelowSharedHost, isOriginPattern } from '../../src/shared/web-origin.ts'

it.for([
  'https://app.test',
  'http://localhost:5173',
  'http://[::1]:5173',
  'https://xn--bcher-kva.test',
  'capacitor://localhost',
  'chrome-extension://abcdefgh',
  'https://*.my-app.pages.dev',
  'https://*.foo.co.uk',
  'https://*.app.test:8443',
  'https://*.xn--bcher-kva.test',
  'https://*.a.b.c.test',
  'https://*.my-team.deno.net',
  'https://*.web.test',
])('takes %s', (text) => {
  expect([isOriginPattern(text), isBelowSharedHost(text)]).toEqual([true, false])
})

it.for([
  '',
  '*',
  'null',
  'https://*',
  'https://*.test',
  'https://*.localhost:5173',
  'https://*.127.0.0.1',
  'https://*.1.2.3.4:8443',
  'https://*.[::1]',
  'https://*.0x7f.1',
  'https://*.app.test.',
  'https://*.app..test',
  'https://*.app.test/',
  'https://*.app.test/a',
  'https://*.app.test:443',
  'https://*.app.test:99999',
  'https://*.App.test',
  'https://*.bücher.test',
  'https://*app.test',
  'https://a*.app.test',
  'https://*-my-app.pages.dev',
  'https://*.*.app.test',
  'https://a.*.app.test',
  'https://app.*.test',
  'https://app.test:*',
  'https://*.user@app.test',
  'http://*.app.test',
  '*://*.app.test',
  '*.app.test',
  'capacitor://*.app.test',
  'chrome-extension://*',
  'file://',
])('refuses %j as an origin or a pattern', (text) => {
  expect(isOriginPattern(text)).toBe(false)
})

it.for([
  'pages.dev',
  'workers.dev',
  'vercel.app',
  'netlify.app',
  'github.io',
  'herokuapp.com',
  'web.app',
  'ngrok-free.app',
  'cloudfront.net',
  'co.uk',
  'org.uk',
  'com.au',
  'com.br',
  'co.jp',
  'or.jp',
  'co.in',
  'uk.com',
  'amazonaws.com',
  'eu-west-1.elasticbeanstalk.com',
  's3.eu-west-1.amazonaws.com',
  'z6.web.core.windows.net',
  'westeurope.cloudapp.azure.com',
  'centralus.1.azurestaticapps.net',
  'a.run.app',
  'uc.r.appspot.com',
  'up.railway.app',
  'eu.ngrok.io',
  'app.github.dev',
  'app.localhost',
  'hf.space',
  'streamlit.app',
  'r2.dev',
  'us-central1.hosted.app',
  'web.id',
  'gouv.fr',
])('refuses a pattern below the shared host %s', (host) => {
  const text = `https://*.${host}`
  expect([isOriginPattern(text), isBelowSharedHost(text)]).toEqual([true, true])
})

describe('a list of origins and patterns', () => {
  const patterns = ['https://app.test', 'https://*.my-app.pages.dev', 'https://*.b.test:8443']

  it.for([
    'https://app.test',
    'https://a1b2c3d4.my-app.pages.dev',
    'https://feature-1.my-app.pages.dev',
    'https://xn--bcher-kva.my-app.pages.dev',
    'https://a.b.test:8443',
  ])('allows %s', (origin) => expect(allowsOrigin(patterns, origin)).toBe(true))

  it.for([
    '',
    'null',
    'https://my-app.pages.dev',
    'https://.my-app.pages.dev',
    'https://a.b.my-app.pages.dev',
    'https://evil-my-app.pages.dev',
    'https://amy-app.pages.dev',
    'https://a.my-app.pages.dev.evil.test',
    'https://a.my-app.pages.dev.',
    'https://a.my-app.pages.dev:444',
    'https://a.my-app.pages.dev:443',
    'http://a.my-app.pages.dev',
    'https://A.my-app.pages.dev',
    'https://a_b.my-app.pages.dev',
    'https://evil.test/.my-app.pages.dev',
    'https://evil.test?.my-app.pages.dev',
    'https://evil.test#.my-app.pages.dev',
    'https://evil@a.my-app.pages.dev',
    'https://*.my-app.pages.dev',
    'https://a.b.test',
    'https://a.b.test:8444',
    'https://www.app.test',
  ])('does not allow %s', (origin) => expect(allowsOrigin(patterns, origin)).toBe(false))
})
