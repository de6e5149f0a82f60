/* node:os: fixed answers, as upstream gives. */
const { codes: { ERR_INVALID_ARG_TYPE }, validateInt32 } = require("./errors.js");
const constants = require("./os_constants.js");

const priorities = new Map();
const primitive = (fn) => Object.defineProperty(fn, Symbol.toPrimitive, { value: () => fn(), configurable: true });

module.exports = {
    arch: primitive(() => "x64"), availableParallelism: primitive(() => 1), cpus: () => [], endianness: primitive(() => "LE"),
    freemem: primitive(() => 0), getPriority(pid = 0) {
        validateInt32(pid, "pid");
        return priorities.get(pid) ?? 0;
    },
    homedir: primitive(() => "/tmp/"), hostname: primitive(() => "localhost"), loadavg: () => [0, 0, 0], networkInterfaces: () => ({}),
    platform: primitive(() => "linux"), release: primitive(() => ""), setPriority(pid, priority) {
        const [id, value] = priority === undefined ? [0, pid] : [pid, priority];
        validateInt32(id, "pid");
        validateInt32(value, "priority", -20, 19);
        priorities.set(id, value);
    },
    tmpdir: primitive(() => "/tmp/"), totalmem: primitive(() => 0), type: primitive(() => "Linux"), userInfo(options = undefined) {
        if (options !== undefined && (options === null || typeof options !== "object")) throw new ERR_INVALID_ARG_TYPE("options", "Object", options);
        return { uid: -1, gid: -1, username: "worker", homedir: "/tmp", shell: null };
    },
    uptime: primitive(() => 0), version: primitive(() => ""), machine: primitive(() => "x86_64"), constants, EOL: "\n", devNull: "/dev/null",
};
