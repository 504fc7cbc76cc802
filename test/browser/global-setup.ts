/** Finds the browser for the tests once, and installs one if there is none. */

import type { TestProject } from 'vitest/node'
import { findBrowser } from './browser.ts'
import { ENGINES, isInstalled } from './engines/engines.ts'

/** At the end, prints which other engines were missing. */
export default function setup(project: TestProject): () => void {
  project.provide('browser', findBrowser())
  return () => {
    for (const engine of ENGINES) {
      if (isInstalled(engine)) continue
      console.log(`Skipped: the element in ${engine.name} (${engine.install})`)
    }
  }
}
