// Finds the uses of module-level names, past every inner declaration that shadows them.
import { eachChild, isFunction, isSpine, patternNames, walkSpine } from './ast.js';

// Names that `statements` declare in their own block (not `var`).
function lexicalNames(statements, into) {
    for (const statement of statements) {
        if (statement.type === 'VariableDeclaration' && statement.kind !== 'var') {
            for (const declarator of statement.declarations) patternNames(declarator.id, into);
        } else if (statement.type === 'FunctionDeclaration' || statement.type === 'ClassDeclaration') {
            if (statement.id) into.push(statement.id.name);
        }
    }
    return into;
}

// Names that `var` declares anywhere below `node`, not entering functions.
function varNames(node, into) {
    if (isFunction(node) || node.type === 'StaticBlock') return into;
    if (node.type === 'VariableDeclaration' && node.kind === 'var')
        for (const declarator of node.declarations) patternNames(declarator.id, into);
    // Statements only: an expression declares nothing outside of its functions.
    eachChild(node, (child) => {
        if (/Statement$|^Switch|^Catch|Declaration$/.test(child.type)) varNames(child, into);
    });
    return into;
}

function functionNames(node) {
    const names = [];
    if (node.type === 'FunctionExpression' && node.id) names.push(node.id.name);
    for (const param of node.params) patternNames(param, names);
    if (node.body.type !== 'BlockStatement') return names;
    for (const statement of node.body.body) varNames(statement, names);
    return lexicalNames(node.body.body, names);
}

function staticBlockNames(node) {
    const names = lexicalNames(node.body, []);
    for (const statement of node.body) varNames(statement, names);
    return names;
}

function headNames(declaration) {
    if (declaration?.type !== 'VariableDeclaration' || declaration.kind === 'var') return [];
    return declaration.declarations.flatMap((declarator) => patternNames(declarator.id));
}

// What a node declares for itself and everything below it.
const DECLARES = {
    FunctionDeclaration: functionNames,
    FunctionExpression: functionNames,
    ArrowFunctionExpression: functionNames,
    StaticBlock: staticBlockNames,
    BlockStatement: (node) => lexicalNames(node.body, []),
    ForStatement: (node) => headNames(node.init),
    ForInStatement: (node) => headNames(node.left),
    ForOfStatement: (node) => headNames(node.left),
    CatchClause: (node) => (node.param ? patternNames(node.param) : []),
    SwitchStatement: (node) => lexicalNames(node.cases.flatMap((item) => item.consequent), []),
    ClassDeclaration: (node) => (node.id ? [node.id.name] : []),
    ClassExpression: (node) => (node.id ? [node.id.name] : []),
};

// Calls found(identifier, parent, shorthand) for each use of one of `names` (a Set or Map) that
// means the module's own binding. `shorthand` is true for `{x}` and `({x = 1} = y)`.
export function eachUse(program, names, found) {
    // `hidden` holds the names that an inner scope has taken; it is copied only when it grows.
    function visit(node, parent, hidden, shorthand) {
        if (node.type === 'Identifier') {
            if (names.has(node.name) && !hidden.has(node.name)) found(node, parent, shorthand);
            return;
        }
        if (isSpine(node)) {
            walkSpine(node, parent, (child, above) => visit(child, above, hidden, false));
            return;
        }
        const declared = DECLARES[node.type]?.(node).filter((name) => names.has(name));
        const inner = declared?.length > 0 ? new Set([...hidden, ...declared]) : hidden;
        const passes = node.type === 'AssignmentPattern' && shorthand;
        eachChild(node, (child) => {
            const short = node.type === 'Property' ? node.shorthand : passes && child === node.left;
            visit(child, node, inner, short);
        });
    }
    visit(program, null, new Set(), false);
}
