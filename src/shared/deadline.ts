/** A time limit for work that may never end. */

/** Returns the result of `work`. @throws what `late` returns after `ms`; otherwise what `work` throws */
export async function inTime<T>(
  work: Promise<T>,
  ms: number,
  late = (): Error => new Error(`There was no answer within ${ms} ms`),
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>()
  const timer = setTimeout(() => reject(late()), ms)
  const end = <Outcome>(settle: (outcome: Outcome) => void) => {
    return (outcome: Outcome) => {
      clearTimeout(timer)
      settle(outcome)
    }
  }
  void work.then(end(resolve), end(reject))
  return promise
}
