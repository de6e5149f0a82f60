// The names that a CommonJS module exports, as far as its text shows them: `exports.a = …`,
// `module.exports = {a, b}`, Object.defineProperty(exports, "a", …), and the hint of esbuild,
// `0 && (module.exports = {a, b})`. Importers may import these by name.
import { eachChild, isSpine, walkSpine } from './ast.js';

function isName(node, name) {
    return node?.type === 'Identifier' && node.name === name;
}

function isModuleExports(node) {
    return node?.type === 'MemberExpression' && isName(node.object, 'module') && isName(node.property, 'exports');
}

function isExports(node) {
    return isName(node, 'exports') || isModuleExports(node);
}

function keyOf(node, computed) {
    if (node.type === 'Literal') return typeof node.value === 'string' ? node.value : null;
    return !computed && node.type === 'Identifier' ? node.name : null;
}

function requiredName(node) {
    if (node?.type !== 'CallExpression' || !isName(node.callee, 'require')) return null;
    const [argument] = node.arguments;
    return argument?.type === 'Literal' && typeof argument.value === 'string' ? argument.value : null;
}

export function readCommonNames(ast) {
    const names = new Set();
    const reexports = new Set();

    function add(name) {
        if (name !== null) names.add(name);
    }

    function readObject(node) {
        for (const property of node.properties) {
            if (property.type === 'Property') add(keyOf(property.key, property.computed));
            else reexportIfRequired(property.argument);
        }
    }

    function reexportIfRequired(node) {
        const specifier = requiredName(node);
        if (specifier !== null) reexports.add(specifier);
    }

    function readAssignment({ left, right }) {
        if (left.type === 'MemberExpression' && isExports(left.object)) add(keyOf(left.property, left.computed));
        if (!isModuleExports(left)) return;
        if (right.type === 'ObjectExpression') readObject(right);
        else reexportIfRequired(right);
    }

    function readCall({ callee, arguments: args }) {
        const isDefine =
            callee.type === 'MemberExpression' &&
            isName(callee.object, 'Object') &&
            isName(callee.property, 'defineProperty');
        if (isDefine && args.length > 1 && isExports(args[0])) add(keyOf(args[1], true));
        // TypeScript and Babel: __exportStar(require("./a"), exports).
        const isStar = /^_*export(Star)?$/.test(callee.name ?? callee.property?.name ?? '');
        if (isStar && args.length > 0) reexportIfRequired(args[0]);
    }

    function visit(node) {
        if (node.type === 'AssignmentExpression') readAssignment(node);
        if (isSpine(node)) walkSpine(node, null, visit, (link) => link.type === 'CallExpression' && readCall(link));
        else eachChild(node, visit);
    }
    visit(ast);
    names.delete('default');
    return { names: [...names], reexports: [...reexports] };
}
