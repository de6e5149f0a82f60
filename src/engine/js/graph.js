// What the modules of a bundle import and export, and what follows from it: which modules stand in
// a cycle, and which imported bindings may still change after their module was evaluated.
import { patternNames } from './ast.js';
import { resolve } from './resolve.js';

export function specifierName(node) {
    return node.type === 'Literal' ? node.value : node.name;
}

function attributesOf(node) {
    if (!node.attributes || node.attributes.length === 0) return null;
    const attributes = {};
    for (const item of node.attributes) attributes[specifierName(item.key)] = item.value.value;
    return attributes;
}

// The declared names of `export const {a} = …`, `export function f…`, `export class C…`.
function declaredNames(declaration) {
    if (declaration.type !== 'VariableDeclaration') return [declaration.id.name];
    return declaration.declarations.flatMap((declarator) => patternNames(declarator.id));
}

// module.deps       [{specifier, attributes}], each once, in the order of the source
// module.imports    Map local name -> {dep, name}; name null means the namespace
// module.exports    Map exported name -> local name (the default export of an expression: `*default*`)
// module.from       [{exported, dep, name}]: exported again without a local binding
// module.stars      deps of `export * from`
export function readDeclarations(module) {
    Object.assign(module, { deps: [], imports: new Map(), exports: new Map(), from: [], stars: [] });
    const depIndex = new Map();

    function depOf(node) {
        const attributes = attributesOf(node);
        const { phase } = node;
        const key = JSON.stringify([node.source.value, attributes, phase]);
        if (!depIndex.has(key)) {
            depIndex.set(key, module.deps.length);
            module.deps.push({ specifier: node.source.value, attributes, phase });
        }
        return depIndex.get(key);
    }

    function readImport(node) {
        const dep = depOf(node);
        for (const item of node.specifiers) {
            let name = null;
            if (item.type === 'ImportDefaultSpecifier') name = 'default';
            else if (item.type === 'ImportSpecifier') name = specifierName(item.imported);
            module.imports.set(item.local.name, { dep, name });
        }
    }

    function readNamed(node) {
        if (node.declaration) {
            for (const name of declaredNames(node.declaration)) module.exports.set(name, name);
            return;
        }
        const dep = node.source ? depOf(node) : -1;
        for (const item of node.specifiers) {
            const exported = specifierName(item.exported);
            const local = specifierName(item.local);
            if (node.source) module.from.push({ exported, dep, name: local });
            else module.exports.set(exported, local);
        }
    }

    function readStar(node) {
        const dep = depOf(node);
        if (node.exported) module.from.push({ exported: specifierName(node.exported), dep, name: null });
        else module.stars.push(dep);
    }

    for (const node of module.ast.body) {
        if (node.type === 'ImportDeclaration') readImport(node);
        else if (node.type === 'ExportNamedDeclaration') readNamed(node);
        else if (node.type === 'ExportAllDeclaration') readStar(node);
        else if (node.type === 'ExportDefaultDeclaration')
            module.exports.set('default', node.declaration.id?.name ?? '*default*');
    }

    // `import {x} from "a"; export {x}` exports a's binding, there is no local one.
    for (const [exported, local] of module.exports) {
        const source = module.imports.get(local);
        if (source === undefined) continue;
        module.exports.delete(exported);
        module.from.push({ exported, ...source });
    }
    module.forwarded = new Map(module.from.map((item) => [item.exported, item]));
}

// The bundle's modules by name; sets module.targets to the ESM modules (or undefined) its deps mean.
export function connect(modules) {
    const byName = new Map(modules.map((module) => [module.name, module]));
    for (const module of modules) {
        if (module.type !== 'esm') continue;
        module.targets = module.deps.map(({ specifier }) => {
            const found = resolve(module.name, specifier, byName, () => false);
            const target = found.name === undefined ? undefined : byName.get(found.name);
            return target?.type === 'esm' ? target : undefined;
        });
    }
}

// Tarjan's strongly connected components, with an explicit stack: the input is hostile. Sets
// module.cyclic on every module that can reach itself by static imports.
export function markCycles(modules) {
    let counter = 0;
    const open = [];

    function enter(module, work) {
        module.order = module.low = ++counter;
        module.isOpen = true;
        open.push(module);
        work.push({ module, next: 0 });
    }

    function close(module) {
        if (module.low !== module.order) return;
        const members = open.splice(open.lastIndexOf(module));
        for (const member of members) {
            member.isOpen = false;
            member.cyclic = members.length > 1 || member.targets.includes(member);
        }
    }

    for (const root of modules) {
        if (root.type !== 'esm' || root.order !== undefined) continue;
        const work = [];
        enter(root, work);
        while (work.length > 0) {
            const frame = work[work.length - 1];
            const { module } = frame;
            if (frame.next < module.targets.length) {
                const target = module.targets[frame.next++];
                if (target === undefined) continue;
                if (target.order === undefined) enter(target, work);
                else if (target.isOpen) module.low = Math.min(module.low, target.order);
                continue;
            }
            work.pop();
            close(module);
            if (work.length > 0) {
                const parent = work[work.length - 1].module;
                parent.low = Math.min(parent.low, module.low);
            }
        }
    }
}

// The module and local name behind an exported name, as far as it is known here: null when it is
// not an ES module's own binding (a namespace, a built-in, a missing name).
function findBinding(module, name, seen) {
    const key = JSON.stringify([module.name, name]);
    if (module.type !== 'esm' || seen.has(key)) return null;
    seen.add(key);
    if (module.exports.has(name)) return { module, local: module.exports.get(name) };
    const forwarded = module.forwarded.get(name);
    if (forwarded !== undefined) {
        const target = module.targets[forwarded.dep];
        if (target === undefined || forwarded.name === null) return null;
        return findBinding(target, forwarded.name, seen);
    }
    if (name === 'default') return null;
    for (const dep of module.stars) {
        const target = module.targets[dep];
        const found = target && findBinding(target, name, seen);
        if (found) return found;
    }
    return null;
}

// The imports of `module` whose value may change, or may not be there yet, while `module` runs:
// these are read through the namespace at each use. All others are copied once.
export function liveImports(module) {
    const live = new Map();
    for (const [local, { dep, name }] of module.imports) {
        if (name === null) continue;
        const target = module.targets[dep];
        const binding = target ? findBinding(target, name, new Set()) : null;
        const changes = binding !== null && binding.module.changing.has(binding.local);
        // A write to an import must throw, so it goes through the (read-only) namespace too.
        if (module.cyclic || changes || module.assigned.has(local)) live.set(local, { dep, name });
    }
    return live;
}
