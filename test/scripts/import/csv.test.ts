import { expect, it } from 'vitest'
import { decodeText, parseCsv } from '../../../scripts/import/csv.ts'

async function* chunksOf(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

/** Reads a text that arrives byte by byte. Its first line is a header. */
async function read(text: string, delimiter = ',') {
  const nameColumns = (names: string[]) => ({ names, isHeader: true })
  const decoded = decodeText(chunksOf(Buffer.from(text), 1), 'users.csv')
  return Array.fromAsync(parseCsv(decoded, 'users.csv', { delimiter, fromLine: 1, nameColumns }))
}

it('a record has its line, its bytes, and whether it is uneven', async () => {
  expect(await read('\uFEFFid,key\n"é\n",1\n\n2\n3,4,5\n6,7')).toMatchObject([
    { record: { id: 'é\n', key: '1' }, line: 3, isUneven: false },
    { record: { id: '2' }, line: 5, isUneven: true },
    { record: { id: '3', key: '4' }, line: 6, isUneven: true },
    { record: { id: '6', key: '7' }, line: 7, read: 27, isUneven: false },
  ])
})

it('tabs separate texts whose quotes are a part of them', async () => {
  const [first] = await read('id\tkey\n"a\t"b', '\t')
  expect(first).toMatchObject({ record: { id: '"a', key: '"b' } })
})

it.for([
  ['bytes that are not UTF-8', [0x69, 0xe9, 0x0a], 'users.csv is not UTF-8'],
  ['bytes that end within a character', [0x69, 0xc3], 'users.csv is not UTF-8'],
] as const)('%s are refused', async ([, bytes, message]) => {
  const text = decodeText(chunksOf(Uint8Array.from(bytes), 2), 'users.csv')
  await expect(Array.fromAsync(text)).rejects.toThrow(message)
})
