/* ctx.exports: entrypoints of the Worker itself, called in place, with props if asked for; and handlers of objects. */
import * as context from "../context.js";
import { ExecutionContext } from "../event.js";
import { Request } from "../request.js";
import { entryHook, failed } from "./hooks.js";
import { DOMException } from "../errors.js";
import { packText, setGrant } from "./grants.js";
import { encode, open } from "./payload.js";
import { makeStubOf } from "./stub.js";

/* How a function of `export default { … }` is called: one argument is the caller's. */
export function handlerCall(env, ctx) {
    return (fn, name, args, self) => {
        if (fn.length > 3)
            throw new TypeError(`Cannot call handler function "${name}" over RPC because it has the wrong number of arguments. A simple function handler can only be called over RPC if it has exactly the arguments (arg, env, ctx), where only the first argument comes from the client. To support multi-argument RPC functions, use class-based syntax (extending WorkerEntrypoint) instead.`);
        if (args.length !== 1)
            throw new TypeError(`Attempted to call RPC function "${name}" with the wrong number of arguments. When calling a top-level handler function that is not declared as part of a class, you must always send exactly one argument. In order to support variable numbers of arguments, the server must use class-based syntax (extending WorkerEntrypoint) instead.`);
        return fn.call(self, args[0], env, ctx);
    };
}

/* Each call is a new instance, in the caller's event. */
class LoopbackHook {
    constructor(entry, props) {
        this.entry = entry;
        this.props = props;
    }

    call(path, payload) {
        try {
            const { object, options } = this.entry().receiver(new ExecutionContext(context.need(), this.props));
            return entryHook(object, options).call(path, payload);
        } catch (error) {
            payload?.drop();
            return failed(error);
        }
    }

    dup() { return this; }
    dispose() {}
    onBroken() {}
}

function loopback(entry, props, name, again) {
    const members = {
        fetch: async (input, init = undefined) => {
            const invocation = context.need();
            return invocation.calling(Promise.resolve(entry().fetch(new Request(input, init), invocation, new ExecutionContext(invocation, props))));
        },
    };
    if (again) members.call = (options = {}) => loopback(entry, options.props === undefined ? {} : open(encode(options.props)).value, name, false);
    return setGrant(makeStubOf(new LoopbackHook(entry, props), members), grantFor(name, props, again));
}

/* Stubs in props of a stub that is passed on would have to be passed on as well. */
function grantFor(name, props, callable) {
    const entrypoint = name === "default" ? "" : name;
    if (callable) return { entrypoint, callable };
    return { entrypoint, get props() {
        const { packed, services } = packText(props);
        if (services.length > 0) throw new DOMException('Could not serialize object of type "Fetcher". This type does not support serialization.', "DataCloneError");
        return { packed };
    } };
}

/* entry() → as of worker.js; name: of the export. */
export function makeLoopback(entry, name) {
    return loopback(entry, {}, name, true);
}
