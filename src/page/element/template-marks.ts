/** How the Lit in this bundle reads a template. scripts/lib/lit-cuts.ts replaces Lit's own way by this one. */

/** What Lit finds again in the HTML of a template: after the name of an attribute, as its value, and as a child. */
interface Marks {
  name: string
  value: string
  child: string
}

/**
 * The HTML of a template with a mark for each binding, and the names of the bound attributes. A binding is a child, or the whole
 * value of an attribute without quotes. `<` and `>` are in no text and in no value.
 */
export function markBindings(
  texts: readonly string[],
  { name, value, child }: Marks,
): [html: string, attributes: string[]] {
  const attributes: string[] = []
  let html = ''
  for (const text of texts.slice(0, -1)) {
    html += text
    if (html.lastIndexOf('<') > html.lastIndexOf('>')) {
      attributes.push(text.slice(text.search(/\S+$/), -1))
      html = `${html.slice(0, -1)}${name}=${value}`
    } else html += child
  }
  // Lit looks behind the last mark.
  return [html + (texts.at(-1) || '<?>'), attributes]
}
