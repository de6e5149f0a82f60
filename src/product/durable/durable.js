/* Durable Objects as main.js and env see them. */
import { fetchEvent, scheduledEvent } from "../../web/js/event.js";
import { serveObject } from "../../web/js/rpc/serve.js";
import { Response } from "../../web/js/response.js";
import { instanceOf, ownClass, resetThose } from "./instance.js";
import { makeNamespace } from "./namespace.js";
import { socketsLost } from "./sockets.js";
import { DurableObject } from "../../web/js/workers.js";
import { setObjectExports } from "./state.js";

const NO_RPC = 'The receiving Durable Object does not support RPC, because its class was not declared with `extends DurableObject`. In order to enable RPC, make sure your class extends the special class `DurableObject`, which can be imported from the module "cloudflare:workers".';

export function make() {
    return (index, config) => makeNamespace(index, config);
}

/* The classes of this Worker that have a namespace: class name → {index, config}. Set when the Worker has loaded. */
let classes = null;

function classesOf(worker) {
    if (classes !== null) return classes;
    classes = new Map();
    (worker.spec.bindings ?? []).forEach((config, index) => {
        if (config.type !== "durable_object_class") return;
        classes.set(config.class_name, { index, config });
        ownClass(config.namespace_id, index, config.class_name);
    });
    setObjectExports(() => worker.exportsObject());
    return classes;
}

function find(worker, className, id, name) {
    const known = classesOf(worker).get(className), Class = worker.exported?.[className];
    if (known === undefined || typeof Class !== "function")
        throw new TypeError(`The Worker does not export the Durable Object class "${className}".`);
    return instanceOf(known.index, known.config, Class, worker.env, id, name);
}

/* A call for an object: what it is and how (RPC brings its own). fn(object, instance) runs inside its gates. */
export function inObject(worker, className, id, name, invocation, fn) {
    const instance = find(worker, className, id, name);
    return instance.deliver(invocation, (object) => fn(object, instance));
}

export function objectRequest(worker, className, id, name, event) {
    fetchEvent((request, invocation) => inObject(worker, className, id, name, invocation, (object) => {
        if (typeof object.fetch !== "function") throw new Error("Handler does not export a fetch() function.");
        return object.fetch(request);
    }), event);
}

/* SQL of the data studio: [{sql, params}] → [{columns, rows, meta}]. All of it is one transaction. */
function runQueries(instance, queries) {
    const { storage } = instance.context;
    return storage.transactionSync(() => queries.map(({ sql, params }) => {
        const cursor = storage.sql.exec(String(sql), ...(params ?? []));
        const rows = [...cursor.raw()].map((row) => row.map((value) => (value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value)));
        return { columns: cursor.columnNames, rows, meta: { rows_read: cursor.rowsRead, rows_written: cursor.rowsWritten } };
    }));
}

export function objectQuery(worker, className, id, name, event) {
    fetchEvent((request, invocation) => inObject(worker, className, id, name, invocation, async (object, instance) => {
        const queries = await request.json();
        try {
            return Response.json(runQueries(instance, queries));
        } catch (error) {
            return new Response(error.message, { status: 400 });
        }
    }), event);
}

/* A session of RPC with an object. */
export function objectSession(worker, className, id, name, event) {
    serveObject((invocation, fn) => inObject(worker, className, id, name, invocation, (object) => {
        if (!(object instanceof DurableObject) && !worker.hasFlag("js_rpc")) throw new TypeError(NO_RPC);
        return fn(object);
    }), event);
}

export function objectAlarm(worker, className, id, channel, scheduledMs, retry, requestId) {
    scheduledEvent((controller, invocation) => {
        invocation.kind = "alarm";
        invocation.detail = { scheduledTime: new Date(scheduledMs).toISOString() };
        return inObject(worker, className, id, "", invocation, (object, instance) => instance.alarm(object, retry));
    }, channel, scheduledMs, "", requestId);
}

/* The gateway opens the channel of an object's sockets; with an object that is not there the next event wakes it. */
export function objectSockets(worker, className, id, name, channel, requestId) {
    find(worker, className, id, name).openSockets(channel, requestId);
}

/* The channel of an object's sockets has ended. */
export function objectSocketsLost(channel) {
    socketsLost(channel);
}

export function objectsReset(why, object) {
    resetThose(why, object);
}
