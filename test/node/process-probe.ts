/** A Worker that tells what a global `process.env` would show of its variables. */

export default {
  fetch: () => Response.json(Reflect.get(globalThis, 'process')?.env?.['SECRET'] ?? null),
}
