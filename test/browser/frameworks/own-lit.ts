/** A host application that is made with a Lit of its own. */

import { html, render } from 'lit'

render(html`<p>Made with Lit</p>`, document.body)
