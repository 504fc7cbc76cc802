/** How docs/eu.md moves tombstones from the second store outside of a jurisdiction to the one in it. */

/** Returns, for each tombstone of the store outside, a statement for the database. */
export const SELECT_MOVES =
  "SELECT 'INSERT INTO gone_keys (cause, identity) VALUES (''operator'', ''' || identity || ''') ON CONFLICT DO NOTHING;' FROM gone"

export const EMPTY_STORE = 'DELETE FROM gone'
