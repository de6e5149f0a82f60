// Lowers `using` and `await using`, which the engine does not parse, to try/catch/finally:
//
//     { using x = a(); f(x); }
//     {const u=rt.using();try{ const x =u.add( a()); f(x); }catch(e){u.fail(e)}finally{u.end()}}
//
// The whole block goes inside `try`, so scopes and hoisting stay as they were. The run-time half,
// with the order of disposal and SuppressedError, is using_scope.js.
import { skipSpace, skipWord } from './ast.js';

const ADD = { using: 'add', 'await using': 'addAsync' };

export function isUsing(node) {
    return node?.type === 'VariableDeclaration' && ADD[node.kind] !== undefined;
}

export class UsingLowering {
    constructor(edits, source, names) {
        this.edits = edits;
        this.source = source;
        this.names = names;
    }

    // How a block begins.
    head() {
        return `const ${this.names.scope}=${this.names.rt}.using();try{`;
    }

    // How it ends. wait(expression) writes an await of it; restore is put first in the catch block.
    tail(isAsync, wait, restore) {
        const { scope, error } = this.names;
        const end = isAsync ? wait(`${scope}.endAsync()`) : `${scope}.end()`;
        return `}catch(${error}){${restore}${scope}.fail(${error})}finally{${end}}`;
    }

    // `using` becomes `const`; returns how a value is added to the scope.
    replaceKeyword(declaration) {
        let end = declaration.start;
        if (declaration.kind === 'await using') end = skipWord(this.source, end, 'await');
        end = skipWord(this.source, end, 'using');
        this.edits.replace(declaration.start, end, 'const'.padEnd(end - declaration.start));
        return `${this.names.scope}.${ADD[declaration.kind]}`;
    }

    declaration(declaration) {
        const add = this.replaceKeyword(declaration);
        for (const declarator of declaration.declarations) {
            const equals = skipSpace(this.source, declarator.id.end);
            this.edits.after(equals + 1, `${add}(`);
            this.edits.after(declarator.end, ')');
        }
    }

    // for (using x of y): returns the text that opens the body; the name moves into it.
    forOfHead(node) {
        const { left } = node;
        const { item, scope } = this.names;
        const name = left.declarations[0].id.name;
        this.edits.replace(left.start, left.end, `const ${item}`.padEnd(left.end - left.start));
        return `{${this.head()}const ${name}=${scope}.${ADD[left.kind]}(${item});`;
    }
}
