/** What the element does not need of Lit, as scripts/lib/lit.ts takes it out: its size counts. */

/** Names that Lit uses, and the element does not. They are shortened. */
export const LIT_NAMES = [
  '_\\$\\w+',
  'createRenderRoot',
  'elementProperties',
  'enableUpdating',
  'isUpdatePending',
  'performUpdate',
  'renderOptions',
]

/** A piece of Lit's minified code, and what stands there instead. A piece that ends with `{` goes on to the brace that closes it. */
type Cut = readonly [piece: string, instead: string]

/**
 * By modules, for one version of Lit. The element runs in no browser that needs a polyfill, and no server renders it. Its
 * properties are plain and not reflected, and its attributes are texts. Its templates are HTML without comments, directives and
 * elements whose content is text alone. What they bind is a child, or the whole value of an attribute:
 * test/scripts/lib/lit.test.ts.
 */
export const CUTS: Readonly<Record<string, readonly Cut[]>> = {
  'reactive-element.js': [
    // Polyfills, versions, decorators.
    [
      ',a=globalThis,c=a.trustedTypes,l=c?c.emptyScript:"",p=a.reactiveElementPolyfillSupport,d=(t,s)=>t',
      '',
    ],
    [',p?.({ReactiveElement:y}),(a.reactiveElementVersions??=[]).push("2.1.2")', ''],
    ['Symbol.metadata??=Symbol("metadata"),a.litPropertyMetadata??=new WeakMap;', ';'],
    ['static addInitializer(t){', ''],
    [',this.constructor.l?.forEach(t=>t(this))', ''],
    ['y[d("elementProperties")]', 'y.elementProperties'],
    ['y[d("finalized")]', 'y.finalized'],
    // Properties, and one style sheet.
    [',u={', ''],
    [',f=(t,s)=>!i(t,s),b={', ''],
    [
      'static finalize(){',
      `static finalize() {
        if (this.hasOwnProperty('finalized')) return
        this.finalized = true
        const parent = n(this)
        parent.finalize()
        this.elementProperties = new Map(parent.elementProperties)
        for (const [name, options] of Object.entries(this.properties ?? {})) {
          this.elementProperties.set(name, options)
          const value = Symbol()
          e(this.prototype, name, {
            get() {
              return this[value]
            },
            set(next) {
              const last = this[value]
              this[value] = next
              this.requestUpdate(name, last)
            },
          })
        }
        this._$Eh = new Map()
        for (const [name, { state, attribute }] of this.elementProperties)
          if (!state && attribute !== false) this._$Eh.set(attribute ?? name.toLowerCase(), name)
      }`,
    ],
    [',getOwnPropertyDescriptor:h,getOwnPropertyNames:r,getOwnPropertySymbols:o', ''],
    ['static createProperty(t,s=b){', ''],
    ['static getPropertyDescriptor(t,s,i){', ''],
    ['static getPropertyOptions(t){', ''],
    ['static finalizeStyles(s){', ''],
    [
      'createRenderRoot(){',
      `createRenderRoot() {
        const root = this.shadowRoot ?? this.attachShadow({ mode: 'open' })
        root.adoptedStyleSheets = [this.constructor.styles]
        return root
      }`,
    ],
    ['y.elementStyles=[],y.shadowRootOptions={mode:"open"},', ''],
    ['enableUpdating(t){', ''],
    ['this._$Em=null,', ''],
    ['static _$Ei(){', ''],
    ['static _$Eu(t,s){', ''],
    [
      'attributeChangedCallback(t,s,i){',
      'attributeChangedCallback(attribute, last, text) { this[this.constructor._$Eh.get(attribute)] = text }',
    ],
    ['_$AK(t,s){', ''],
    ['_$ET(t,s){', ''],
    ['this._$Eq&&=this._$Eq.forEach(t=>this._$ET(t,this[t])),', ''],
    [
      'requestUpdate(t,s,i,e=!1,h){',
      `requestUpdate(name, last) {
        if (name !== undefined) {
          if (i(this[name], last)) return
          if (!this._$AL.has(name)) this._$AL.set(name, this.hasUpdated ? last : undefined)
        }
        if (!this.isUpdatePending) this._$ES = this._$EP()
      }`,
    ],
    ['C(t,s,{useDefault:i,reflect:e,wrapped:h},r){', ''],
    ['const t=this.constructor.elementProperties;if(t.size>0)for(const[s,i]of t){', ''],
    // Steps of an update.
    [
      'const t=this.scheduleUpdate();return null!=t&&await t,!this.isUpdatePending',
      'this.performUpdate()',
    ],
    ['scheduleUpdate(){', ''],
    [
      't=this.shouldUpdate(s),t?(this.willUpdate(s),this._$EO?.forEach(t=>t.hostUpdate?.()),this.update(s)):this._$EM()',
      'this.willUpdate(s),this.update(s)',
    ],
    ['let t=!1;const s=this._$AL', 'const s=this._$AL'],
    ['throw t=!1,', 'throw '],
    ['t&&this._$AE(s)', 'this._$AE(s)'],
    ['shouldUpdate(t){', ''],
    ['this._$EO?.forEach(t=>t.hostUpdated?.()),', ''],
    [',this.updated(t)', ''],
    ['updated(t){', ''],
    ['return this.getUpdateComplete()', 'return this._$ES'],
    ['getUpdateComplete(){', ''],
    [',u as defaultConverter,t as getCompatibleStyle,f as notEqual', ''],
  ],
  'lit-element.js': [
    ['i._$litElement$=!0,i["finalized"]=!0,s.litElementHydrateSupport?.({LitElement:i});', ''],
    ['const o=s.litElementPolyfillSupport;o?.({LitElement:i});', ''],
    ['(s.litElementVersions??=[]).push("4.2.2");', ''],
    ['createRenderRoot(){', ''],
    ['this.hasUpdated||(this.renderOptions.isConnected=this.isConnected),', ''],
    ['}connectedCallback(){', '}'],
    ['disconnectedCallback(){', ''],
    [',this._$Do=void 0', ''],
    ['this._$Do=', ''],
    ['render(){return r}', ''],
    [',noChange as r', ''],
  ],
  'lit-html.js': [
    [
      'const j={M:h,P:o,A:n,C:1,L:N,R,D:d,V:M,I:k,H,N:L,U:z,B:I,F:Z},B=t.litHtmlPolyfillSupport;B?.(S,k),(t.litHtmlVersions??=[]).push("3.3.3");',
      '',
    ],
    ['export{j as _$LH,b as html,T as mathml,E as noChange,', 'export{b as html,'],
    [',w as svg', ''],
    // SVG and MathML, comments, elements whose content is text.
    ['y=/^(?:script|style|textarea|title)$/i,x=t=>', 'x=t=>'],
    [',w=x(2),T=x(3)', ''],
    [
      'const N=(t,i)=>{',
      `const N = (texts) => {
        const [html, names] = markBindings(texts, { name: h, value: o, child: r })
        return [V(texts, html), names]
      }`,
    ],
    [
      'p=RegExp(`>|${f}(?:([^\\\\s"\'>=/]+)(${f}*=${f}*(?:[^ \\t\\n\\f\\r"\'\\`<>=]|("|\')|))|$)`,"g"),g=/\'/g,$=/"/g,',
      '',
    ],
    [
      'constructor({strings:t,_$litType$:i},e){',
      `constructor({ strings }) {
        const [html, names] = N(strings)
        this.el = l.createElement('template')
        this.el.innerHTML = html
        this.parts = []
        P.currentNode = this.el.content
        let node
        for (let index = 0; (node = P.nextNode()); index += 1) {
          for (const attribute of node.getAttributeNames?.() ?? []) {
            if (!attribute.endsWith(h)) continue
            node.removeAttribute(attribute)
            const [, kind, name] = /([.?@])?(.*)/.exec(names.shift())
            this.parts.push({ index, kind, name })
          }
          if (node.data === n) this.parts.push({ index })
        }
      }`,
    ],
    ['static createElement(t,i){', ''],
    [
      'class R{',
      `class R {
        constructor(template) {
          this._$AD = template
        }
        u(options) {
          const { el, parts } = this._$AD
          const copy = l.importNode(el.content, true)
          P.currentNode = copy
          let node = P.nextNode()
          let index = 0
          this._$AV = parts.map((part) => {
            for (; index < part.index; index += 1) node = P.nextNode()
            return part.name ? new H(node, part, options) : new k(node, node.nextSibling, this, options)
          })
          P.currentNode = l
          return copy
        }
        p(values) {
          this._$AV.forEach((part, index) => part._$AI(values[index]))
        }
      }`,
    ],
    // Directives, and bindings to an element or to a part of an attribute.
    ['function M(t,i,s=t,e){', ''],
    ['t=M(this,t,i),a(t)?', 'a(t)?'],
    ['E=Symbol.for("lit-noChange"),', ''],
    ['t!==this._$AH&&t!==E&&this._(t)', 't!==this._$AH&&this._(t)'],
    ['class Z{', ''],
    [
      'class H{',
      `class H {
        constructor(element, { kind, name }, options) {
          this._$AH = A
          this.element = element
          this.kind = kind
          this.name = name
          this.options = options
        }
        _$AI(value) {
          const { element, kind, name, _$AH: last } = this
          // Listeners have no options, and are functions.
          if (kind === '@') value ??= A
          if (a(value) && value === last) return
          this._$AH = value
          const isNothing = value === A
          if (kind === '.') element[name] = isNothing ? undefined : value
          else if (kind === '?') element.toggleAttribute(name, !isNothing && !!value)
          else if (kind === '@') {
            if (isNothing) element.removeEventListener(name, this)
            else if (last === A) element.addEventListener(name, this)
          } else if (isNothing) element.removeAttribute(name)
          else element.setAttribute(name, value ?? '')
        }
        handleEvent(event) {
          this._$AH.call(this.options?.host ?? this.element, event)
        }
      }`,
    ],
    ['class I extends H{', ''],
    ['class L extends H{', ''],
    ['class z extends H{', ''],
    // Templates that are compiled, and where else they can be rendered.
    [
      '{values:i,_$litType$:s}=t,e="number"==typeof s?this._$AC(t):(void 0===s.el&&(s.el=S.createElement(V(s.h,s.h[0]),this.options)),s)',
      '{values:i}=t,e=this._$AC(t)',
    ],
    [
      'const e=s?.renderBefore??i;let h=e._$litPart$;if(void 0===h){const t=s?.renderBefore??null;e._$litPart$=h=new k(i.insertBefore(c(),t),t,void 0,s??{})}return h._$AI(t),h',
      'let h=i._$litPart$;if(void 0===h)i._$litPart$=h=new k(i.insertBefore(c(),null),null,void 0,s);h._$AI(t)',
    ],
    [',s=t.trustedTypes', ''],
    ['d=t=>u(t)||"function"==typeof t?.[Symbol.iterator],', ''],
    [':d(t)?this.k(t):this._(t)', ':this.k(t)'],
    ['this.type=2,', ''],
    [',this._$AN=void 0', ''],
    [',this._$AM=s,this.options=e', ',this.options=e'],
    ['get parentNode(){', ''],
    ['get startNode(){', ''],
    ['get endNode(){', ''],
    ['get _$AU(){', ''],
    ['setConnected(t){', ''],
    [',this._$Cv=e?.isConnected??!0', ''],
    ['this._$AP?.(!1,!0,s)', ''],
  ],
}
