// The one pass over a module's tree: edits what the engine or the classic script cannot have
// (import(), import.meta, top-level await in a cycle, `using`, `<!--`), applies the async-context
// transform, and notes what the linker must know.
import { AsyncContext } from './als.js';
import { afterDirectives, eachChild, isFunction, isSpine, patternNames, walkSpine } from './ast.js';
import { UsingLowering, isUsing } from './using.js';

class Pass {
    constructor(module, names, als) {
        this.module = module;
        this.source = module.source;
        this.edits = module.edits;
        this.names = names;
        this.als = als ? new AsyncContext(this.edits, this.source, names) : null;
        this.using = new UsingLowering(this.edits, this.source, names);
        // The function that we are in; `waits` counts where it may be suspended.
        this.fn = { node: module.ast, isTop: true, waits: 0 };
        // Code that may run again after the module was evaluated.
        this.depth = 0;
        this.found = { awaits: false, forAwaits: false, bodyHead: '', bodyTail: '' };
        module.assigned = new Set();
        module.changing = new Set();
        // In a cycle a top-level await is a yield (see linker.js), but `for await` has no such form.
        this.yields = module.cyclic && !hasForAwait(module.ast);
    }

    visitAll(node) {
        eachChild(node, (child) => this.visit(child, node));
    }

    visit(node, parent) {
        if (isSpine(node)) {
            walkSpine(node, parent, (child, above) => this.visit(child, above), (link) => this.checkLess(link));
            return;
        }
        const handler = HANDLERS[node.type];
        if (handler) handler.call(this, node, parent);
        else if (isFunction(node)) this.visitFunction(node);
        else this.visitAll(node);
    }

    // --- functions and waits ---

    visitFunction(node) {
        const outer = this.fn;
        this.fn = { node, isTop: false, waits: 0 };
        this.depth++;
        this.visitAll(node);
        this.depth--;
        if (this.als && this.fn.waits > 0) this.als.leaveFunction(node);
        this.fn = outer;
    }

    // Notes a wait; returns whether it has to be a yield.
    countWait() {
        this.fn.waits++;
        if (!this.fn.isTop) return false;
        this.found.awaits = true;
        return this.yields;
    }

    // The text of a new await of `expression`.
    waitText(expression) {
        const word = this.countWait() ? 'yield' : 'await';
        const text = `${word} ${expression}`;
        return this.als ? `${this.names.restore}(${text},${this.names.saved})` : text;
    }

    visitAwait(node) {
        const isYield = this.countWait();
        // A call, not parentheses: a line that begins with "(" would continue the one before.
        const wrap = this.als ? this.names.restore : this.names.value;
        if (isYield) this.edits.replace(node.start, node.start + 'await'.length, `${wrap}(yield(`);
        else if (this.als) this.edits.before(node.start, `${wrap}(`);
        this.visitAll(node);
        const saved = this.als ? `,${this.names.saved})` : isYield ? ')' : '';
        this.edits.after(node.end, isYield ? `)${saved}` : saved);
    }

    visitYield(node) {
        if (!this.als || !this.fn.node.async) return this.visitAll(node);
        this.fn.waits++;
        this.edits.before(node.start, `${this.names.restore}(`);
        this.visitAll(node);
        this.edits.after(node.end, `,${this.names.saved})`);
    }

    visitTry(node) {
        const counts = [this.fn.waits];
        for (const part of [node.block, node.handler, node.finalizer]) {
            if (part) this.visit(part, node);
            counts.push(this.fn.waits);
        }
        this.als?.leaveTry(node, counts[1] > counts[0], counts[2] > counts[1]);
    }

    // --- blocks and `using` ---

    // The text that restores the frame in a catch block, when there was a wait since `waits`.
    restoreSince(waits) {
        return this.als && this.fn.waits > waits ? this.als.restoreText : '';
    }

    usingTail(isAsync, waits) {
        const wait = (expression) => this.waitText(expression);
        return this.using.tail(isAsync, wait, this.restoreSince(waits));
    }

    visitBlock(node) {
        const usings = node.body.filter(isUsing);
        if (usings.length === 0) return this.visitAll(node);
        const waits = this.fn.waits;
        const start = node.type === 'StaticBlock' ? this.source.indexOf('{', node.start) : node.start;
        this.edits.after(afterDirectives(node.body, start + 1), this.using.head(), 1);
        this.visitAll(node);
        const isAsync = usings.some((item) => item.kind === 'await using');
        this.edits.before(node.end - 1, this.usingTail(isAsync, waits));
    }

    visitProgram(node) {
        const usings = node.body.filter(isUsing);
        this.visitAll(node);
        if (usings.length > 0) {
            const isAsync = usings.some((item) => item.kind === 'await using');
            this.found.bodyHead = this.using.head();
            this.found.bodyTail = this.usingTail(isAsync, 0);
        }
        if (this.als && this.fn.waits > 0) this.found.bodyHead = this.als.saveText + this.found.bodyHead;
    }

    visitVariables(node) {
        if (isUsing(node)) this.using.declaration(node);
        this.visitAll(node);
    }

    visitStaticBlock(node) {
        this.depth++;
        this.visitBlock(node);
        this.depth--;
    }

    visitField(node) {
        if (node.computed) this.visit(node.key, node);
        if (!node.value) return;
        this.depth++;
        this.visit(node.value, node);
        this.depth--;
    }

    // --- loops ---

    // A loop that gets braces around it takes its labels along.
    visitLabel(node) {
        let { body } = node;
        while (body.type === 'LabeledStatement') body = body.body;
        body.outer = node.outer ?? node;
        if (node.body.type === 'LabeledStatement') node.body.outer = node.outer ?? node;
        this.visitAll(node);
    }

    visitFor(node) {
        if (!isUsing(node.init)) return this.visitAll(node);
        const outer = node.outer ?? node;
        const waits = this.fn.waits;
        this.edits.before(outer.start, `{${this.using.head()}`);
        this.visitAll(node);
        this.edits.after(outer.end, `${this.usingTail(node.init.kind === 'await using', waits)}}`);
    }

    visitForOf(node) {
        this.noteTarget(node.left);
        const outer = node.outer ?? node;
        const waits = this.fn.waits;
        if (node.await) {
            this.countWait();
            this.als?.enterForAwait(node, outer);
        }
        if (isUsing(node.left)) this.visitForUsing(node, waits);
        else this.visitAll(node);
        if (node.await) this.als?.leaveForAwait(node, outer);
    }

    visitForUsing(node, waits) {
        this.visit(node.right, node);
        this.edits.before(node.body.start, this.using.forOfHead(node));
        this.visit(node.body, node);
        this.edits.after(node.body.end, `${this.usingTail(node.left.kind === 'await using', waits)}}`);
    }

    visitForIn(node) {
        this.noteTarget(node.left);
        this.visitAll(node);
    }

    // --- writes ---

    noteTarget(target) {
        if (target.type === 'VariableDeclaration') return;
        for (const name of patternNames(target)) {
            this.module.assigned.add(name);
            if (this.depth > 0) this.module.changing.add(name);
        }
    }

    visitAssignment(node) {
        this.noteTarget(node.left);
        this.visitAll(node);
    }

    visitUpdate(node) {
        this.noteTarget(node.argument);
        this.visitAll(node);
    }

    // --- what a classic script reads differently ---

    visitImport(node) {
        const isModule = this.module.type === 'esm';
        const verb = node.phase === 'source' ? 'importSource' : 'import';
        const importer = isModule
            ? `${this.names.ctx}.${verb}`
            : `${this.names.rt}.${verb}For(${JSON.stringify(this.module.name)})`;
        const word = node.phase === 'source' ? this.source.indexOf('source', node.start) : node.start;
        this.edits.replace(node.start, word + 'import'.length, importer); // "source" is as long
        this.visitAll(node);
    }

    visitMeta(node) {
        if (node.meta.name === 'import') this.edits.replace(node.start, node.end, `${this.names.ctx}.meta`);
    }

    // `a<!--b` is an expression in a module and a comment in a script.
    checkLess(node) {
        if (node.type !== 'BinaryExpression' || node.operator !== '<') return;
        const { start } = node.right;
        const isComment = this.source.startsWith('!--', start) && this.source[start - 1] === '<';
        if (isComment) this.edits.before(start, ' ');
    }
}

const HANDLERS = {
    Program: Pass.prototype.visitProgram,
    AwaitExpression: Pass.prototype.visitAwait,
    YieldExpression: Pass.prototype.visitYield,
    TryStatement: Pass.prototype.visitTry,
    BlockStatement: Pass.prototype.visitBlock,
    StaticBlock: Pass.prototype.visitStaticBlock,
    PropertyDefinition: Pass.prototype.visitField,
    VariableDeclaration: Pass.prototype.visitVariables,
    LabeledStatement: Pass.prototype.visitLabel,
    ForStatement: Pass.prototype.visitFor,
    ForOfStatement: Pass.prototype.visitForOf,
    ForInStatement: Pass.prototype.visitForIn,
    AssignmentExpression: Pass.prototype.visitAssignment,
    UpdateExpression: Pass.prototype.visitUpdate,
    ImportExpression: Pass.prototype.visitImport,
    MetaProperty: Pass.prototype.visitMeta,
};

// Whether there is a `for await` outside of all functions.
function hasForAwait(node) {
    if (node.type === 'ForOfStatement' && node.await) return true;
    if (isFunction(node) || /Expression$|^Class/.test(node.type)) return false;
    let has = false;
    eachChild(node, (child) => {
        has ||= hasForAwait(child);
    });
    return has;
}

// Edits module.edits; sets module.assigned (names that some assignment targets) and module.changing
// (those assigned in code that may run later). Returns {awaits, forAwaits, bodyHead, bodyTail}.
export function transform(module, names, als) {
    const pass = new Pass(module, names, als);
    pass.visit(module.ast, null);
    pass.found.forAwaits = module.cyclic && !pass.yields;
    return pass.found;
}
