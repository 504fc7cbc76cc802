/** Draws the figures for the docs. */

import type { Figures } from './report.ts'

const WIDTH = 720
const ROW = 26
const LABEL = 190
const COLORS = {
  light: { text: '#1c2127', bar: '#7c8794', vault: '#1d5bc4' },
  dark: { text: '#e6e9ed', bar: '#78838f', vault: '#86b6ff' },
}
const NAMES: Readonly<Record<string, string>> = {
  same: 'bare Worker, same D1 call',
  least: 'bare Worker, least D1 call',
  hand: 'the same work by hand',
  flask: 'the Flask backend',
  vault: 'the vault',
}

/** Returns an SVG of CPU time per request, with a transparent background. */
export function drawChart(figures: readonly Figures[], theme: 'light' | 'dark'): string {
  const { text, bar, vault } = COLORS[theme]
  const shown = figures.filter(
    ({ route, worker }) => ['GET', 'PUT', 'DELETE'].includes(route) && worker in NAMES,
  )
  const longest = Math.max(...shown.map(({ cpu }) => cpu))
  const bars = shown.map(({ route, worker, cpu }, index) => {
    const y = 40 + index * ROW
    const width = Math.round((cpu / longest) * (WIDTH - LABEL - 160))
    return `<text x="${LABEL - 8 + 60}" y="${y + 14}" text-anchor="end">${NAMES[worker]}</text>
<text x="0" y="${y + 14}">${shown[index - 1]?.route === route ? '' : route}</text>
<rect x="${LABEL + 60}" y="${y}" width="${width}" height="18" rx="3" fill="${worker === 'vault' ? vault : bar}"/>
<text x="${LABEL + 68 + width}" y="${y + 14}">${cpu} µs</text>`
  })
  const height = 50 + shown.length * ROW
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-label="CPU time per request" font-family="sans-serif" font-size="13" fill="${text}">
<text x="0" y="18" font-weight="600">CPU time per request, D1 included</text>
${bars.join('\n')}
</svg>
`
}
