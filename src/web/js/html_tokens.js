/*
 * What handlers of HTMLRewriter see: a token object for each call of a handler, over one Unit for each token of the page,
 * which collects what the handlers ask for. Parts of the token are read from C when somebody looks.
 */
import { asInterface } from "./interfaces.js";
import { isResponse } from "./response.js";
import { isReadableStream, readableOf } from "./streams/classes.js";

const html = native.html;

export const INPUT = 0, ELEMENT = 1, END_TAG = 2, TEXT = 3, COMMENT = 4, DOCTYPE = 5, END = 6;
export const FLAGS = 0, NS = 1, OUT = 2, N = 3, ACTIVE = 4; // of the scratch array
export const EMITS = 1, CONTENT = 2, LAST = 4;
export const NOTHING = [];
const NAMESPACES = ["http://www.w3.org/1999/xhtml", "http://www.w3.org/2000/svg", "http://www.w3.org/1998/Math/MathML"];

const DEAD = "This content token is no longer valid. Content tokens are only valid during the execution of the relevant content handler.";
const STRINGS_ONLY = "Replacing content in HTML comments using a ReadableStream or Response object is not implemented. You must provide a string.";
const MODIFIED = "The attributes of this element have been modified during iteration. You must create a new iterator after modifying attributes.";

export const parserError = (text) => new TypeError(`Parser error: ${text}`);
const lower = (text) => text.replace(/[A-Z]+/g, (part) => part.toLowerCase());

/* A token while its handlers run: what they have asked for. */
export class Unit {
    constructor(work, kind) {
        const { scratch } = work;
        this.handle = work.handle;
        this.kind = kind;
        this.flags = scratch[FLAGS];
        this.ns = scratch[NS];
        this.touched = false;
        this.removed = kind === ELEMENT && (this.flags & EMITS) === 0;
        this.before = this.after = this.replacement = NOTHING;
        this.removeContent = false;
        this.end = null; // of an element: what to do at its end tag
    }

    content(name, chunk, first) {
        if (chunk === null) return;
        this.touched = true;
        this[name] = put(this[name], chunk, first);
    }

    replace(chunk) {
        if (chunk === null) return;
        this.remove();
        this.replacement = [chunk];
    }

    remove() {
        this.touched = this.removed = true;
    }

    /* Of elements. */
    get hasContent() {
        return (this.flags & CONTENT) !== 0;
    }

    atEnd() {
        this.end ??= new End();
        return this.end;
    }

    dropContent() {
        this.touched = true;
        this.after = NOTHING;
        if (this.end !== null) this.end.before = NOTHING;
        this.removeContent = true;
    }
}

const put = (list, chunk, first) => (first ? [chunk, ...list] : [...list, chunk]);

class End {
    before = NOTHING;
    after = NOTHING;
    mutated = false;
    removed = false;
    name = null;
    handler = null;
}

/* {text, html} or {stream, html}; null when there is nothing to insert. */
function chunkOf([content, options], n, method, owner = "Element") {
    if (n === 0)
        throw new TypeError(`Failed to execute '${method}' on '${owner}': parameter 1 is not of type 'string or JsReadableStream or Response'.`);
    const asHtml = options !== undefined && options !== null && Boolean(options.html);
    if (isResponse(content)) {
        const { body } = content;
        return body === null ? null : { stream: readableOf(body), html: asHtml };
    }
    if (isReadableStream(content)) return { stream: readableOf(content), html: asHtml };
    return { text: `${content}`, html: asHtml };
}

function textChunk(args, n, method, owner) {
    const chunk = chunkOf(args, n, method, owner);
    if (chunk === null || chunk.stream !== undefined) throw new TypeError(STRINGS_ONLY);
    return chunk;
}

const NAME_ENDS = /[ \n\r\t\f/>]/;
const ATTRIBUTE_ENDS = /[ \n\r\t\f/>=]/;

function checkTagName(name) {
    if (name === "") throw parserError("Tag name can't be empty.");
    if (!/^[A-Za-z]/.test(name)) throw parserError("The first character of the tag name should be an ASCII alphabetical character.");
    const bad = NAME_ENDS.exec(name);
    if (bad !== null) throw parserError(`\`${bad[0]}\` character is forbidden in the tag name`);
}

function checkAttributeName(name) {
    if (name === "") throw parserError("Attribute name can't be empty.");
    const bad = ATTRIBUTE_ENDS.exec(name);
    if (bad !== null) throw parserError(`\`${bad[0]}\` character is forbidden in the attribute name`);
}

function needFunction(value, owner, method) {
    if (typeof value !== "function")
        throw new TypeError(`Failed to execute '${method}' on '${owner}': parameter 1 is not of type 'function'.`);
}

/* --- what handlers see: one object for each call of a handler --- */

export const MAKE = Symbol("token");
const expire = {};

function illegal(key) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
}

class Element {
    #unit;
    #iterators = null;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }

    get #live() {
        if (this.#unit === null) throw new TypeError(DEAD);
        return this.#unit;
    }

    get tagName() { return html.name(this.#live.handle, true); }
    set tagName(value) {
        const unit = this.#live, name = `${value}`;
        checkTagName(name);
        if (html.setName(unit.handle, name) < 0)
            throw parserError("The tag name contains a character that can't be represented in the document's character encoding.");
        if (unit.hasContent) unit.atEnd().name = name;
    }
    get removed() { return this.#live.removed; }
    get namespaceURI() { return NAMESPACES[this.#live.ns]; }

    get attributes() {
        const iterator = new AttributesIterator(MAKE, this.#live);
        this.#iterators = [...this.#iterators ?? [], iterator];
        return iterator;
    }

    getAttribute(name) {
        return html.find(this.#live.handle, lower(`${name}`));
    }
    hasAttribute(name) {
        return html.find(this.#live.handle, lower(`${name}`)) !== null;
    }
    setAttribute(name, value) {
        const unit = this.#live, key = lower(`${name}`);
        const text = `${value}`;
        checkAttributeName(key);
        if (html.set(unit.handle, key, text) < 0)
            throw parserError("The attribute name contains a character that can't be represented in the document's character encoding.");
        this.#changed();
        return this;
    }
    removeAttribute(name) {
        html.remove(this.#live.handle, lower(`${name}`));
        this.#changed();
        return this;
    }

    #changed() {
        for (const iterator of this.#iterators ?? []) expire.iterator(iterator, true);
    }

    before(...args) {
        this.#live.content("before", chunkOf(args, args.length, "before"), false);
        return this;
    }
    after(...args) {
        const unit = this.#live, chunk = chunkOf(args, args.length, "after");
        if (!unit.hasContent) unit.content("after", chunk, true);
        else if (chunk !== null) end(unit).after = put(unit.end.after, chunk, true);
        return this;
    }
    prepend(...args) {
        const unit = this.#live, chunk = chunkOf(args, args.length, "prepend");
        if (!unit.hasContent) return this;
        html.opens(unit.handle);
        unit.content("after", chunk, true);
        return this;
    }
    append(...args) {
        const unit = this.#live, chunk = chunkOf(args, args.length, "append");
        if (!unit.hasContent) return this;
        html.opens(unit.handle);
        if (chunk !== null) end(unit).before = put(unit.end.before, chunk, false);
        return this;
    }
    setInnerContent(...args) {
        const unit = this.#live, chunk = chunkOf(args, args.length, "setInnerContent");
        if (!unit.hasContent || chunk === null) return this;
        html.opens(unit.handle);
        unit.dropContent();
        unit.content("after", chunk, true);
        return this;
    }
    replace(...args) {
        const unit = this.#live, chunk = chunkOf(args, args.length, "replace");
        if (chunk === null) return this;
        unit.replace(chunk);
        this.#removeContent(unit);
        return this;
    }
    remove() {
        const unit = this.#live;
        unit.remove();
        this.#removeContent(unit);
        return this;
    }
    removeAndKeepContent() {
        const unit = this.#live;
        unit.remove();
        if (unit.hasContent) end(unit).removed = true;
        return this;
    }

    #removeContent(unit) {
        if (!unit.hasContent) return;
        unit.dropContent();
        end(unit).removed = true;
    }

    onEndTag(handler) {
        const unit = this.#live;
        needFunction(handler, "Element", "onEndTag");
        if (!unit.hasContent) throw parserError("No end tag.");
        unit.atEnd().handler = handler;
    }

    static {
        expire.element = (element) => {
            element.#unit = null;
            for (const iterator of element.#iterators ?? []) expire.iterator(iterator, false);
        };
    }
}

function end(unit) {
    const record = unit.atEnd();
    record.mutated = true;
    return record;
}

class AttributesIterator {
    #unit;
    #index = 0;
    #modified = false;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }

    next() {
        if (this.#modified) throw new Error(MODIFIED);
        if (this.#unit === null) throw new TypeError(DEAD);
        const value = html.attribute(this.#unit.handle, this.#index);
        if (value === undefined) return { done: true, value: undefined };
        this.#index++;
        return { done: false, value };
    }

    static {
        expire.iterator = (iterator, modified) => {
            iterator.#unit = null;
            iterator.#modified = modified;
        };
    }
}
Object.setPrototypeOf(AttributesIterator.prototype, Object.getPrototypeOf(Object.getPrototypeOf([][Symbol.iterator]())));
delete AttributesIterator.prototype.constructor;
Object.defineProperty(AttributesIterator.prototype, Symbol.toStringTag, { value: "AttributesIterator", configurable: true });

/* before, after, replace, remove: `chunk` says what content may be. */
function mutators(cls, owner, live, chunk) {
    const methods = {
        before(...args) { live(this).content("before", chunk(args, args.length, "before", owner), false); return this; },
        after(...args) { live(this).content("after", chunk(args, args.length, "after", owner), true); return this; },
        replace(...args) { live(this).replace(chunk(args, args.length, "replace", owner)); return this; },
        remove() { live(this).remove(); return this; },
    };
    for (const [name, value] of Object.entries(methods))
        Object.defineProperty(cls.prototype, name, { value, writable: true, configurable: true, enumerable: true });
}

class EndTag {
    #unit;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }
    get #live() {
        if (this.#unit === null) throw new TypeError(DEAD);
        return this.#unit;
    }
    get name() { return html.name(this.#live.handle, true); }
    set name(value) { html.setName(this.#live.handle, `${value}`); }

    static {
        expire.endTag = (tag) => { tag.#unit = null; };
        mutators(this, "EndTag", (tag) => tag.#live, chunkOf);
        delete this.prototype.replace; // upstream has none
    }
}

class Text {
    #unit;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }
    get #live() {
        if (this.#unit === null) throw new TypeError(DEAD);
        return this.#unit;
    }
    get text() { return html.text(this.#live.handle); }
    get lastInTextNode() { return (this.#live.flags & LAST) !== 0; }
    get removed() { return this.#live.removed; }

    static {
        expire.text = (text) => { text.#unit = null; };
        mutators(this, "Text", (text) => text.#live, chunkOf);
    }
}

class Comment {
    #unit;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }
    get #live() {
        if (this.#unit === null) throw new TypeError(DEAD);
        return this.#unit;
    }
    get text() { return html.name(this.#live.handle, false); }
    set text(value) {
        const unit = this.#live, text = `${value}`;
        if (text.includes("-->") || text.includes("--!>") || text.startsWith(">") || text.startsWith("->"))
            throw parserError("Comment text shouldn't contain a comment-closing sequence.");
        if (html.setName(unit.handle, text) < 0)
            throw parserError("Comment text contains a character that can't be represented in the document's character encoding.");
    }
    get removed() { return this.#live.removed; }

    static {
        expire.comment = (comment) => { comment.#unit = null; };
        mutators(this, "Comment", (comment) => comment.#live, textChunk);
    }
}

class Doctype {
    #unit;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }
    #part(which) {
        if (this.#unit === null) throw new TypeError(DEAD);
        return html.part(this.#unit.handle, which);
    }
    get name() { return this.#part(0); }
    get publicId() { return this.#part(1); }
    get systemId() { return this.#part(2); }

    static {
        expire.doctype = (doctype) => { doctype.#unit = null; };
    }
}

class DocumentEnd {
    #unit;

    constructor(key, unit) {
        illegal(key);
        this.#unit = unit;
    }
    append(...args) {
        if (this.#unit === null) throw new TypeError(DEAD);
        const chunk = textChunk(args, args.length, "append", "DocumentEnd");
        html.put(this.#unit.handle, chunk.text, chunk.html);
        return this;
    }

    static {
        expire.documentEnd = (documentEnd) => { documentEnd.#unit = null; };
    }
}

/* By kind of event: the class, and what ends an object's validity. */
export const TOKENS = [null, [Element, expire.element], [EndTag, expire.endTag], [Text, expire.text], [Comment, expire.comment],
    [Doctype, expire.doctype], [DocumentEnd, expire.documentEnd]];
for (const [name, cls] of Object.entries({ Element, EndTag, Text, Comment, Doctype, DocumentEnd })) asInterface(name, cls);
/* asInterface() takes this name for one that every class has. */
for (const { prototype } of [EndTag, Doctype])
    Object.defineProperty(prototype, "name", { ...Object.getOwnPropertyDescriptor(prototype, "name"), enumerable: true });
