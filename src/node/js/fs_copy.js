/* fs.cp(): module.exports = (from, to, options) => undefined */
const { uvError, walk, makeDirectory, add, IFDIR, IFLNK } = require("./fs_core.js");
const { FileNode, Link } = require("./fs_tree.js");

function fail(code, path, message) {
    return Object.assign(new Error(`${message} ${path}`), { code, syscall: "cp", path });
}
const parentOf = (text) => text.slice(0, text.lastIndexOf("/")) || "/";

function clone(node) {
    if (node.type === IFLNK) return new Link(node.target);
    const copy = new FileNode();
    copy.write(node.content(), 0);
    return copy;
}

/* Puts a copy of a file or link where `to` says; what stands there goes when it may. */
function copyNode(node, from, to, options) {
    makeDirectory(parentOf(to), true);
    const at = walk(to, options.dereference), stands = at.node;
    if (at.code !== undefined) throw uvError(at.code, "cp");
    if (stands === node) return;
    if (stands?.type === IFDIR) {
        if (node.type === IFLNK) throw uvError("ENOTDIR", "cp", { path: from });
        throw fail("ERR_FS_CP_NON_DIR_TO_DIR", to, `Cannot overwrite directory with non-directory: cp returned ENOTDIR (cannot overwrite directory ${to} with non-directory ${from})`);
    }
    if (stands !== undefined && !options.force) {
        if (options.errorOnExist) throw fail("ERR_FS_CP_EEXIST", to, `Target already exists: cp returned EEXIST (${to} already exists)`);
        return;
    }
    if (!at.parent.writable) throw uvError("EPERM", "cp");
    add(at, clone(node));
}

function copyDirectory(node, from, to, options) {
    if (!options.recursive)
        throw fail("ERR_FS_EISDIR", from, `Recursive option not enabled, cannot copy a directory: cp returned EISDIR (${from} is a directory (not copied))`);
    if (`${to}/`.startsWith(`${from}/`))
        throw fail("ERR_FS_CP_EINVAL", to, `Invalid src or dest: cp returned EINVAL (cannot copy ${from} to a subdirectory of self)`);
    const { node: stands } = walk(to, true);
    if (stands !== undefined && stands.type !== IFDIR)
        throw fail("ERR_FS_CP_DIR_TO_NON_DIR", to, `Cannot overwrite non-directory with directory: cp returned EISDIR (cannot overwrite non-directory ${to} with directory ${from})`);
    if (stands === undefined) makeDirectory(to, true);
    else if (!stands.writable) throw Object.assign(uvError("EPERM", "cp"), { message: "Destination directory is not writable" });
    for (const [name, child] of [...node.children]) copyTree(child, `${from}/${name}`, `${to}/${name}`, options);
}

function copyTree(node, from, to, options) {
    const real = node.type === IFLNK && options.dereference ? walk(from, true).node ?? node : node;
    if (real.type === IFDIR) copyDirectory(real, from, to, options);
    else copyNode(real, from, to, options);
}

module.exports = function copy(source, dest, options) {
    const clean = (text) => `/${text.split("/").filter(Boolean).join("/")}`;
    const from = clean(source), to = clean(dest);
    const { code, node } = walk(from, options.dereference);
    if (node === undefined) throw uvError(code ?? "ENOENT", "cp", { path: from });
    copyTree(node, from, to, options);
};
