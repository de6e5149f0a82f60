// AsyncLocalStorage without help from the engine: the current frame is restored by the code itself.
//
// The engine has no slot for an asynchronous context, so in a bundle that uses one every function
// saves the frame when it starts and puts it back wherever it goes on after a wait:
//
//     async function f() { const s = F.cur; … R(await x, s) … }     R(value, s) sets F.cur, returns value
//     try { … await … } catch (e) { F.cur = s; … } finally { F.cur = s; … }
//     { for await (const x of y) { F.cur = s; … } F.cur = s; }
//
// Callbacks of then(), timers and so on are bound to their frame by the runtime, not here. Within
// noise in time: a wait costs 170 ns, this a few.
import { afterDirectives, skipSpace } from './ast.js';

export function mentionsAsyncContext(source) {
    // Sections of Durable Objects are found by the frame too (product/durable/gates.js).
    return /async_hooks|AsyncLocalStorage|withE(nv|xports)|AsyncResource|\btracing\b|blockConcurrencyWhile|\.transaction\b/.test(source);
}

// The position behind `=>` of an arrow function.
function afterArrow(source, node) {
    const last = node.params[node.params.length - 1];
    let pos = last ? last.end : node.start + 'async'.length;
    for (;;) {
        pos = skipSpace(source, pos);
        if (source.startsWith('=>', pos)) return pos + 2;
        pos++;
    }
}

export class AsyncContext {
    constructor(edits, source, names) {
        this.edits = edits;
        this.source = source;
        this.restoreText = `${names.frame}.cur=${names.saved};`;
        this.saveText = `const ${names.saved}=${names.frame}.cur;`;
    }

    // On leaving an async function that waits somewhere.
    leaveFunction(node) {
        const { body } = node;
        if (body.type === 'BlockStatement') {
            this.edits.after(afterDirectives(body.body, body.start + 1), this.saveText);
            return;
        }
        this.edits.after(afterArrow(this.source, node), `{${this.saveText}return(`);
        this.edits.after(node.end, ')}');
    }

    // waitsInBlock, waitsInHandler: whether there is a wait in these parts.
    leaveTry(node, waitsInBlock, waitsInHandler) {
        if (node.handler && waitsInBlock) this.edits.after(node.handler.body.start + 1, this.restoreText);
        if (node.finalizer && (waitsInBlock || waitsInHandler))
            this.edits.after(node.finalizer.start + 1, this.restoreText);
    }

    // `outer` is the loop, or the outermost label in front of it.
    enterForAwait(node, outer) {
        this.edits.before(outer.start, '{');
        if (node.body.type === 'BlockStatement') this.edits.after(node.body.start + 1, this.restoreText);
        else this.edits.before(node.body.start, `{${this.restoreText}`);
    }

    leaveForAwait(node, outer) {
        const isBlock = node.body.type === 'BlockStatement';
        if (!isBlock) this.edits.after(node.body.end, '}');
        this.edits.after(outer.end, `${this.restoreText}}`);
    }
}
