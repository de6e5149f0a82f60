/* node:diagnostics_channel. https://nodejs.org/api/diagnostics_channel.html */
const { codes: { ERR_INVALID_ARG_TYPE }, validateFunction } = require("./errors.js");

const channels = new Map();

class Channel {
    constructor(name) {
        this.name = name;
        this._subscribers = [];
        this._stores = new Map();
    }

    subscribe(subscription) {
        validateFunction(subscription, "subscription");
        this._subscribers = [...this._subscribers, subscription];
    }

    unsubscribe(subscription) {
        const at = this._subscribers.indexOf(subscription);
        if (at === -1) return false;
        this._subscribers = this._subscribers.toSpliced(at, 1);
        return true;
    }

    bindStore(store, transform = undefined) { this._stores.set(store, transform); }
    unbindStore(store) { return this._stores.delete(store); }

    publish(data) {
        for (const subscriber of this._subscribers) {
            try {
                subscriber(data, this.name);
            } catch (error) {
                queueMicrotask(() => { throw error; });
            }
        }
    }

    runStores(data, fn, thisArg = undefined, ...args) {
        let run = () => {
            this.publish(data);
            return Reflect.apply(fn, thisArg, args);
        };
        for (const [store, transform] of this._stores) {
            const next = run;
            run = () => {
                let context = data;
                try {
                    if (transform !== undefined) context = transform(data);
                } catch (error) {
                    queueMicrotask(() => { throw error; });
                    return next();
                }
                return store.run(context, next);
            };
        }
        return run();
    }
}

/* A getter as in Node; for Workers from before that was so, a method. */
function defineHasSubscribers(Class, answer) {
    const about = web.compat.diagnostics_channel_has_subscribers_getter ? { get: answer } : { value: answer, writable: true };
    Object.defineProperty(Class.prototype, "hasSubscribers", { ...about, configurable: true });
}
const listened = (one) => one._subscribers.length > 0 || one._stores.size > 0;
defineHasSubscribers(Channel, function hasSubscribers() { return listened(this); });

function channel(name) {
    if (typeof name !== "string" && typeof name !== "symbol") throw new ERR_INVALID_ARG_TYPE("channel", ["string", "symbol"], name);
    let found = channels.get(name);
    if (found === undefined) channels.set(name, (found = new Channel(name)));
    return found;
}

const EVENTS = ["start", "end", "asyncStart", "asyncEnd", "error"];

class TracingChannel {
    constructor(nameOrChannels) {
        for (const event of EVENTS) {
            if (typeof nameOrChannels === "string") this[event] = channel(`tracing:${nameOrChannels}:${event}`);
            else {
                if (nameOrChannels === null || typeof nameOrChannels !== "object") throw new ERR_INVALID_ARG_TYPE("nameOrChannels", ["string", "object", "TracingChannel"], nameOrChannels);
                if (!(nameOrChannels[event] instanceof Channel)) throw new ERR_INVALID_ARG_TYPE(`nameOrChannels.${event}`, "Channel", nameOrChannels[event]);
                this[event] = nameOrChannels[event];
            }
        }
    }

    subscribe(handlers) {
        for (const event of EVENTS) if (handlers[event]) this[event]?.subscribe(handlers[event]);
    }

    unsubscribe(handlers) {
        let all = true;
        for (const event of EVENTS) if (handlers[event] && !this[event]?.unsubscribe(handlers[event])) all = false;
        return all;
    }

    traceSync(fn, context = {}, thisArg = undefined, ...args) {
        if (!traced(this)) return Reflect.apply(fn, thisArg, args);
        return this.start.runStores(context, () => {
            try {
                const result = Reflect.apply(fn, thisArg, args);
                context.result = result;
                return result;
            } catch (error) {
                context.error = error;
                this.error.publish(context);
                throw error;
            } finally {
                this.end.publish(context);
            }
        });
    }

    tracePromise(fn, context = {}, thisArg = undefined, ...args) {
        if (!traced(this)) return Reflect.apply(fn, thisArg, args);
        const settle = (key, value) => {
            context[key] = value;
            if (key === "error") this.error.publish(context);
            this.asyncStart.publish(context);
            this.asyncEnd.publish(context);
        };
        return this.start.runStores(context, () => {
            try {
                let promise = Reflect.apply(fn, thisArg, args);
                if (!(promise instanceof Promise)) promise = Promise.resolve(promise);
                return promise.then((result) => {
                    settle("result", result);
                    return result;
                }, (error) => {
                    settle("error", error);
                    throw error;
                });
            } catch (error) {
                context.error = error;
                this.error.publish(context);
                throw error;
            } finally {
                this.end.publish(context);
            }
        });
    }

    traceCallback(fn, position = -1, context = {}, thisArg = undefined, ...args) {
        if (!traced(this)) return Reflect.apply(fn, thisArg, args);
        const { start, end, asyncStart, asyncEnd, error: failed } = this;
        const callback = args.at(position);
        validateFunction(callback, "callback");
        const at = position < 0 ? args.length + position : position;
        args[at] = function (err, result) {
            if (err) {
                context.error = err;
                failed.publish(context);
            } else context.result = result;
            return asyncStart.runStores(context, () => {
                try {
                    return Reflect.apply(callback, this, arguments);
                } finally {
                    asyncEnd.publish(context);
                }
            });
        };
        return start.runStores(context, () => {
            try {
                return Reflect.apply(fn, thisArg, args);
            } catch (error) {
                context.error = error;
                failed.publish(context);
                throw error;
            } finally {
                end.publish(context);
            }
        });
    }
}

const traced = (one) => EVENTS.some((event) => one[event] !== undefined && listened(one[event]));
defineHasSubscribers(TracingChannel, function hasSubscribers() { return traced(this); });

module.exports = {
    channel, hasSubscribers: (name) => channels.get(name)?.hasSubscribers ?? false,
    subscribe: (name, subscription) => channel(name).subscribe(subscription), tracingChannel: (name) => new TracingChannel(name),
    unsubscribe: (name, subscription) => channel(name).unsubscribe(subscription), Channel, TracingChannel,
};
