// What every pass over a syntax tree (ESTree, from acorn) shares: where a node's children are, and
// a list of edits to the source text. The linker never prints code from a tree: it edits the text
// in place, so that lines, and mostly columns, stay what the author wrote.

// Child fields of each node type, in source order. A type that is missing here has no children.
export const CHILDREN = {
    Program: ['body'],
    ExpressionStatement: ['expression'],
    BlockStatement: ['body'],
    StaticBlock: ['body'],
    ReturnStatement: ['argument'],
    ThrowStatement: ['argument'],
    LabeledStatement: ['body'],
    IfStatement: ['test', 'consequent', 'alternate'],
    WithStatement: ['object', 'body'],
    SwitchStatement: ['discriminant', 'cases'],
    SwitchCase: ['test', 'consequent'],
    TryStatement: ['block', 'handler', 'finalizer'],
    CatchClause: ['param', 'body'],
    WhileStatement: ['test', 'body'],
    DoWhileStatement: ['body', 'test'],
    ForStatement: ['init', 'test', 'update', 'body'],
    ForInStatement: ['left', 'right', 'body'],
    ForOfStatement: ['left', 'right', 'body'],
    FunctionDeclaration: ['id', 'params', 'body'],
    FunctionExpression: ['id', 'params', 'body'],
    ArrowFunctionExpression: ['params', 'body'],
    VariableDeclaration: ['declarations'],
    VariableDeclarator: ['id', 'init'],
    ClassDeclaration: ['id', 'superClass', 'body'],
    ClassExpression: ['id', 'superClass', 'body'],
    ClassBody: ['body'],
    MethodDefinition: ['key', 'value'],
    PropertyDefinition: ['key', 'value'],
    ArrayExpression: ['elements'],
    ObjectExpression: ['properties'],
    Property: ['key', 'value'],
    UnaryExpression: ['argument'],
    UpdateExpression: ['argument'],
    BinaryExpression: ['left', 'right'],
    LogicalExpression: ['left', 'right'],
    AssignmentExpression: ['left', 'right'],
    ConditionalExpression: ['test', 'consequent', 'alternate'],
    CallExpression: ['callee', 'arguments'],
    NewExpression: ['callee', 'arguments'],
    ImportExpression: ['source', 'options'],
    MemberExpression: ['object', 'property'],
    ChainExpression: ['expression'],
    SequenceExpression: ['expressions'],
    YieldExpression: ['argument'],
    AwaitExpression: ['argument'],
    TemplateLiteral: ['expressions'],
    TaggedTemplateExpression: ['tag', 'quasi'],
    SpreadElement: ['argument'],
    RestElement: ['argument'],
    ArrayPattern: ['elements'],
    ObjectPattern: ['properties'],
    AssignmentPattern: ['left', 'right'],
    ParenthesizedExpression: ['expression'],
    ExportNamedDeclaration: ['declaration'],
    ExportDefaultDeclaration: ['declaration'],
};

// Fields that name a property and refer to nothing, unless the node is `computed`.
const KEYS = { MemberExpression: 'property', Property: 'key', MethodDefinition: 'key', PropertyDefinition: 'key' };

// Calls visit(child) for each child that is an expression, a pattern or a statement.
export function eachChild(node, visit) {
    const fields = CHILDREN[node.type];
    if (fields === undefined) return;
    const key = node.computed ? undefined : KEYS[node.type];
    for (const field of fields) {
        if (field === key) continue;
        const child = node[field];
        if (child === null || child === undefined) continue;
        if (Array.isArray(child)) {
            for (const item of child) if (item !== null) visit(item);
        } else visit(child);
    }
}

// Chains that real code makes thousands of links long (a + b + c…, a().b().c()…) nest in this field.
const SPINES = {
    BinaryExpression: 'left',
    LogicalExpression: 'left',
    MemberExpression: 'object',
    CallExpression: 'callee',
    TaggedTemplateExpression: 'tag',
};

// Visits `node` as visit(node, parent) would recursively, but goes down such chains in a loop: calls
// visit() on the innermost link and on what hangs off each link, and link() on each, inside out.
export function walkSpine(node, parent, visit, link) {
    const chain = [];
    let innermost = node;
    let above = parent;
    for (let field = SPINES[innermost.type]; field !== undefined; field = SPINES[innermost.type]) {
        chain.push(innermost);
        above = innermost;
        innermost = innermost[field];
    }
    visit(innermost, above);
    for (let i = chain.length - 1; i >= 0; i--) {
        const item = chain[i];
        const seen = item[SPINES[item.type]];
        link?.(item);
        eachChild(item, (child) => {
            if (child !== seen) visit(child, item);
        });
    }
}

export function isSpine(node) {
    return SPINES[node.type] !== undefined;
}

export function isFunction(node) {
    return (
        node.type === 'FunctionDeclaration' ||
        node.type === 'FunctionExpression' ||
        node.type === 'ArrowFunctionExpression'
    );
}

// Every name that a binding pattern (or an assignment target) binds.
export function patternNames(node, into = []) {
    const stack = [node];
    while (stack.length > 0) {
        const item = stack.pop();
        if (item === null) continue;
        if (item.type === 'Identifier') into.push(item.name);
        else if (item.type === 'ObjectPattern') stack.push(...item.properties);
        else if (item.type === 'ArrayPattern') stack.push(...item.elements);
        else if (item.type === 'Property') stack.push(item.value);
        else if (item.type === 'RestElement') stack.push(item.argument);
        else if (item.type === 'AssignmentPattern') stack.push(item.left);
    }
    return into;
}

const BLANKS = /\s*/y;
const TO_LINE_END = /[^\n\r\u2028\u2029]*/y;

function matchEnd(pattern, source, pos) {
    pattern.lastIndex = pos;
    pattern.test(source);
    return pattern.lastIndex;
}

// The first position at or after `pos` that is neither white space nor a comment.
export function skipSpace(source, start) {
    for (let pos = start; ; ) {
        pos = matchEnd(BLANKS, source, pos);
        if (source.startsWith('//', pos)) pos = matchEnd(TO_LINE_END, source, pos);
        else if (source.startsWith('/*', pos)) pos = source.indexOf('*/', pos + 2) + 2;
        else return pos;
    }
}

// The position after `word`, which must be the next token at `pos`.
export function skipWord(source, pos, word) {
    const start = skipSpace(source, pos);
    return source.startsWith(word, start) ? start + word.length : -1;
}

// Where statements begin after the directives ("use strict") of a body.
export function afterDirectives(body, start) {
    let pos = start;
    for (const statement of body) {
        if (statement.directive === undefined) break;
        pos = statement.end;
    }
    return pos;
}

const LINE_END = /\r\n|[\n\r\u2028\u2029]/g;

export function countLines(text) {
    return text.match(LINE_END)?.length ?? 0;
}

// Blanks of the same length, so that what follows keeps its column.
export function blank(text) {
    return text.replace(/[^\n\r\u2028\u2029]/g, ' ');
}

// Edits to one source text. At one position, what belongs to the token before it comes first
// (inner before outer, as the passes push on leaving a node), then what belongs to the token after
// it (outer before inner, pushed on entering), then replacements.
export class Edits {
    constructor(source) {
        this.source = source;
        this.list = [];
    }

    // Behind the token that ends at `pos`; a lower `order` comes first.
    after(pos, text, order = 0) {
        this.list.push({ pos, end: pos, text, rank: 0, order });
    }

    // In front of the token that starts at `pos`.
    before(pos, text) {
        this.list.push({ pos, end: pos, text, rank: 1, order: 0 });
    }

    replace(pos, end, text) {
        this.list.push({ pos, end, text, rank: 2, order: 0 });
    }

    // Takes a statement away but keeps its lines, and keeps its neighbours apart.
    remove(pos, end) {
        this.replace(pos, end, ';' + '\n'.repeat(countLines(this.source.slice(pos, end))));
    }

    apply() {
        if (this.list.length === 0) return this.source;
        this.list.sort((a, b) => a.pos - b.pos || a.rank - b.rank || a.order - b.order);
        const out = [];
        let at = 0;
        for (const edit of this.list) {
            if (edit.pos > at) out.push(this.source.slice(at, edit.pos));
            out.push(edit.text);
            at = Math.max(at, edit.end);
        }
        out.push(this.source.slice(at));
        return out.join('');
    }
}
