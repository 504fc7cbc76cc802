/** A Worker that answers what a global `process.env` shows of its variables. */

export default {
  fetch: () => Response.json(Reflect.get(globalThis, 'process')?.env?.['SECRET'] ?? null),
}
