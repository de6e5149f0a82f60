/* Tail Workers: what other Workers did, as their tail() handler sees it.
 * https://developers.cloudflare.com/workers/runtime-apis/handlers/tail/ */
import { plainEvent } from "./event.js";

/* The members of `fields` as own properties, under a name that console.log shows. */
const classes = Object.fromEntries(["TraceItem", "FetchEventInfo", "Request", "Response", "ScheduledEventInfo", "AlarmEventInfo", "JsRpcEventInfo", "TailEventInfo",
    "HibernatableWebSocketEventInfo", "TraceLog", "TraceException", "ScriptVersion"].map((name) => [name, class {
    constructor(fields) {
        Object.assign(this, fields);
    }

    static {
        Object.defineProperty(this, "name", { value: name });
    }
}]));

class TraceRequest extends classes.Request {
    /* Secrets are left out where the trace is made, so there is no more to give. */
    getUnredacted() {
        return this;
    }
}

/* By the member that tells its kind, as readers of live tails do; the order counts. */
const KINDS = [
    ["cron", (e) => new classes.ScheduledEventInfo(e)],
    ["request", ({ request, response }) => new classes.FetchEventInfo({ request: new TraceRequest(request), response: response === undefined ? undefined : new classes.Response(response) })],
    ["scheduledTime", (e) => new classes.AlarmEventInfo({ scheduledTime: new Date(e.scheduledTime) })],
    ["consumedEvents", (e) => new classes.TailEventInfo(e)],
    ["rpcMethod", (e) => new classes.JsRpcEventInfo(e)],
    ["getWebSocketEvent", (e) => new classes.HibernatableWebSocketEventInfo(e)],
];

function eventOf(event) {
    if (typeof event !== "object" || event === null) return null;
    const kind = KINDS.find(([member]) => event[member] !== undefined);
    return kind === undefined ? event : kind[1](event);
}

function itemOf(script, version, trace) {
    return new classes.TraceItem({
        scriptName: script, scriptVersion: new classes.ScriptVersion({ id: version }),
        ...trace,
        event: eventOf(trace.event),
        logs: trace.logs.map((log) => new classes.TraceLog(log)),
        exceptions: trace.exceptions.map((exception) => new classes.TraceException(exception)),
    });
}

export function tailEvent(call, channel, script, version, json, requestId) {
    plainEvent("tail", channel, requestId, { consumedEvents: [{ scriptName: script }] },
        (invocation) => call([itemOf(script, version, JSON.parse(json))], invocation));
}
