// acorn, with two changes. It looks names up in arrays, which takes seconds in a bundle with tens of
// thousands of top-level names: scopes that grow get an index. And it knows nothing of source phase
// imports: `import source x from "m"` and `import.source("m")` are read as plain ones with
// `phase: "source"`.
import { Parser } from 'acorn';

const NAMES_PLAIN_MAX = 32;
const LISTS = ['var', 'lexical', 'functions'];

// What acorn uses of its arrays of names: indexOf (compared with -1), push, length, [0].
class NameList {
    #names;

    constructor(names) {
        this[0] = names[0];
        this.#names = new Set(names);
    }

    get length() {
        return this.#names.size;
    }

    indexOf(name) {
        return this.#names.has(name) ? 0 : -1;
    }

    push(name) {
        this.#names.add(name);
    }
}

function indexLong(scope) {
    for (const list of LISTS) {
        const names = scope[list];
        if (Array.isArray(names) && names.length > NAMES_PLAIN_MAX) scope[list] = new NameList(names);
    }
}

// Behind the word `import`. A default import may itself be called `source`, or `from`.
const PHASE_OF_STATEMENT = /\s+source\s+(?:from\s+from\b|(?!from\b)[\p{ID_Start}$_])/uy;
const PHASE_OF_CALL = /\s*\.\s*source\s*\(/y;

export class LinkerParser extends Parser {
    follows(pattern) {
        pattern.lastIndex = this.end;
        return pattern.test(this.input);
    }

    parseImport(node) {
        if (this.follows(PHASE_OF_STATEMENT)) {
            this.next();
            node.phase = 'source';
        }
        return super.parseImport(node);
    }

    parseExprImport(forNew) {
        if (forNew || !this.follows(PHASE_OF_CALL)) return super.parseExprImport(forNew);
        const node = this.startNode();
        for (let i = 0; i < 3; i++) this.next(); // to the parenthesis
        node.phase = 'source';
        return this.parseDynamicImport(node);
    }

    declareName(name, type, pos) {
        const scopes = this.scopeStack;
        indexLong(scopes[scopes.length - 1]);
        // A `var` is noted in every scope up to its function's.
        if (scopes.length > 1) indexLong(this.currentVarScope());
        super.declareName(name, type, pos);
    }
}
