/** What the element does not need of Lit, as scripts/lib/lit.ts takes it out: its size counts. */

/** Names that Lit uses, and the element does not. They are shortened. */
export const LIT_NAMES = [
  '_\\$[\\w$]+',
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
        const root = this.attachShadow({ mode: 'open' })
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
    ['if(!this.isUpdatePending)return;if', 'if'],
    ['this.renderRoot??=this.createRenderRoot(),this._$Ep)', 'this._$Ep)'],
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
    [
      'y=/^(?:script|style|textarea|title)$/i,x=t=>(i,...s)=>({_$litType$:t,strings:i,values:s}),b=x(1),w=x(2),T=x(3)',
      'b=(i,...s)=>({_$litType$:1,strings:i,values:s})',
    ],
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
            const ctor = kind === '.' ? I : kind === '?' ? L : kind === '@' ? z : H
            this.parts.push({ index, name, ctor })
          }
          if (node.data === n) this.parts.push({ index })
        }
      }`,
    ],
    ['static createElement(t,i){', ''],
    [
      '2===r.type?i=new k(h,h.nextSibling,this,t):1===r.type?i=new r.ctor(h,r.name,r.strings,this,t):6===r.type&&(i=new Z(h,this,t))',
      'i=r.ctor?new r.ctor(h,r.name,t):new k(h,h.nextSibling,t)',
    ],
    // Directives, and bindings to an element or to a part of an attribute.
    ['function M(t,i,s=t,e){', ''],
    ['_$AI(t,i=this){t=M(this,t,i),a(t)?', '_$AI(t){a(t)?'],
    ['E=Symbol.for("lit-noChange"),', ''],
    ['t!==this._$AH&&t!==E&&this._(t)', 't!==this._$AH&&this._(t)'],
    ['class Z{', ''],
    [
      'void 0!==s&&(void 0!==s.strings?(s._$AI(t,s,i),i+=s.strings.length-2):s._$AI(t[i])),i++',
      's._$AI(t[i++])',
    ],
    ['get tagName(){', ''],
    [
      'constructor(t,i,s,e,h){this.type=1,this._$AH=A,this._$AN=void 0,this.element=t,this.name=i,this._$AM=e,this.options=h,s.length>2||""!==s[0]||""!==s[1]?(this._$AH=Array(s.length-1).fill(new String),this.strings=s):this._$AH=A}',
      'constructor(t,i,h){this._$AH=A,this.element=t,this.name=i,this.options=h}',
    ],
    [
      '_$AI(t,i=this,s,e){const h=this.strings;let o=!1;if(void 0===h)t=M(this,t,i,0),o=!a(t)||t!==this._$AH&&t!==E,o&&(this._$AH=t);else{',
      '_$AI(t){const o=!a(t)||t!==this._$AH;o&&(this._$AH=t);',
    ],
    ['o&&!e&&this.j(t)', 'o&&this.j(t)'],
    ['constructor(){super(...arguments),this.type=3}', ''],
    ['constructor(){super(...arguments),this.type=4}', ''],
    // Options of listeners, and listeners that are objects.
    ['constructor(t,i,s,e,h){super(t,i,s,e,h),this.type=5}', ''],
    ['_$AI(t,i=this){if((t=M(this,t,i,0)??A)===E)return;', '_$AI(t){t??=A;'],
    ['||t.capture!==s.capture||t.once!==s.once||t.passive!==s.passive', ''],
    ['"function"==typeof this._$AH?this', 'this'],
    [':this._$AH.handleEvent(t)', ''],
    // Templates that are compiled, and where else they can be rendered.
    [
      '{values:i,_$litType$:s}=t,e="number"==typeof s?this._$AC(t):(void 0===s.el&&(s.el=S.createElement(V(s.h,s.h[0]),this.options)),s)',
      '{values:i}=t,e=this._$AC(t)',
    ],
    ['(t?.creationScope??l)', 'l'],
    [
      'const e=s?.renderBefore??i;let h=e._$litPart$;if(void 0===h){const t=s?.renderBefore??null;e._$litPart$=h=new k(i.insertBefore(c(),t),t,void 0,s??{})}return h._$AI(t),h',
      'let h=i._$litPart$;if(void 0===h)i._$litPart$=h=new k(i.insertBefore(c(),null),null,s);h._$AI(t)',
    ],
    [',s=t.trustedTypes', ''],
    ['d=t=>u(t)||"function"==typeof t?.[Symbol.iterator],', ''],
    [':d(t)?this.k(t):this._(t)', ':this.k(t)'],
    // What a part is in, and what it is.
    ['constructor(t,i,s,e){this.type=2,', 'constructor(t,i,e){'],
    ['this.O(c()),this,this.options', 'this.O(c()),this.options'],
    ['constructor(t,i){this._$AV=[]', 'constructor(t){this._$AV=[]'],
    ['new R(e,this)', 'new R(e)'],
    [',this._$AN=void 0', ''],
    [',this._$AD=t,this._$AM=i', ',this._$AD=t'],
    [',this._$AM=s,this.options=e', ',this.options=e'],
    ['get parentNode(){', ''],
    ['get startNode(){', ''],
    ['get endNode(){', ''],
    ['get _$AU(){', ''],
    ['setConnected(t){', ''],
    [',this._$Cv=e?.isConnected??!0', ''],
    ['nextSibling,s){for(this._$AP?.(!1,!0,s);', 'nextSibling){for(;'],
    ['s._$AB.nextSibling,e)', 's._$AB.nextSibling)'],
    // Polyfills of a shadow tree.
    ['i=t=>t,', ''],
    ['const s=i(t).nextSibling;i(t).remove(),', 'const s=t.nextSibling;t.remove(),'],
  ],
}
