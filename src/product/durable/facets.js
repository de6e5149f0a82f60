/*
 * ctx.facets: objects inside an object, each with a class and a database of its own. They run in the isolate of the object
 * and live as long as it does. https://developers.cloudflare.com/durable-objects/api/state/
 *
 * A facet is an Instance like any other; the id of its storage comes from its parent's and its name, and is none that
 * callers could have. Calls to it stay in the process (role/isolate_here.c) and are events of their own.
 */
import { fetchObject } from "../../web/js/fetch.js";
import { makeObjectStub } from "../../web/js/rpc/serve.js";
import { facetsHere, instanceHere, instanceOf } from "./instance.js";
import { DurableObjectId } from "./namespace.js";

const NAME_MAX = 256, DEPTH_MAX = 4;
const MAKE = Symbol("make");

/* --- classes as values --- */

const classes = new WeakMap(); // what stands for a class → {Class, props}

export class DurableObjectClass {
    constructor(key) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
    }
}
Object.defineProperty(DurableObjectClass.prototype, Symbol.toStringTag, { value: "DurableObjectClass", configurable: true });

function classValue(Class, props) {
    const value = new DurableObjectClass(MAKE);
    classes.set(value, { Class, props });
    return value;
}

/* `ctx.exports.Name` of a class without a namespace that is bound: the class, or with props when it is called. */
export function makeObjectClass(Class) {
    const value = Object.setPrototypeOf(({ props = {} } = {}) => classValue(Class, props), DurableObjectClass.prototype);
    classes.set(value, { Class, props: {} });
    return value;
}

/* A namespace stands for its class as well. */
export function setClassOf(namespace, Class) {
    classes.set(namespace, { Class, props: {} });
}

/* --- one facet --- */

class Facet {
    constructor(parent, name) {
        this.parent = parent;
        this.name = name;
        this.key = native.durable.idOfName(parent.config.key, "facet", `${parent.id}/${name}`);
        this.depth = (parent.facet?.depth ?? 0) + 1;
        this.getStartup = null;
        this.Class = null; // once it is known
        this.props = {};
        this.id = null; // ctx.id
        this.isDeleted = false; // what it has stored is to go
        facetsHere.set(this.key, this);
    }

    instance() {
        return instanceHere(this.parent.index, this.key);
    }

    isReady() {
        return this.Class !== null || this.isDeleted;
    }

    /* As long as its parent is there. */
    isKept() {
        return this.parent.state === "running";
    }

    /* Asks which class it is. */
    async prepare(instance) {
        const startup = await this.getStartup();
        const known = classes.get(startup?.class);
        if (known === undefined)
            throw new TypeError("Incorrect type for the 'class' field on 'StartupOptions': the provided value is not of type 'DurableObjectClass or LoopbackDurableObjectNamespace'.");
        this.Class = instance.Class = known.Class;
        this.props = known.props;
        this.id = startup.id === undefined ? this.parent.context.id : DurableObjectId.of(this.parent.config.key, String(startup.id), startup.id.name ?? "");
    }

    stub() {
        const { parent, key } = this, { index } = parent, place = () => {
            this.instance()?.expect();
            return `@${parent.config.class_name}`;
        };
        return makeObjectStub({ binding: index, hex: key, name: "", place }, {
            fetch: (input, init = undefined) => fetchObject(index, key, "", input, init, place),
        });
    }

    /* The instance ends; the next call asks for the class again. */
    stop(error) {
        this.Class = null;
        this.instance()?.break(error);
    }

    end(error) {
        this.stop(error);
        if (!this.isDeleted) facetsHere.delete(this.key);
    }

    /* The parent says nothing to the world before the deletion is on the disk. */
    delete() {
        this.stop(new Error("Facet was deleted."));
        if (this.isDeleted) return;
        this.isDeleted = true;
        this.parent.gates.barriers++;
        const { index, config, env } = this.parent;
        instanceOf(index, config, null, env, this.key, "").start();
    }

    wiped() {
        this.isDeleted = false;
        if (this.parent.state === "dead") {
            facetsHere.delete(this.key);
            return;
        }
        this.parent.gates.barriers--;
        this.parent.gates.release();
    }
}

/* --- ctx.facets --- */

function nameOf(name) {
    const text = String(name);
    if (text.length === 0 || text.length > NAME_MAX) throw new TypeError(`Facet name must have 1 to ${NAME_MAX} characters.`);
    return text;
}

export class DurableObjectFacets {
    #parent;

    constructor(key, parent) {
        if (key !== MAKE) throw new TypeError("Illegal constructor");
        this.#parent = parent;
    }

    #facet(name) {
        const { facets } = this.#parent;
        let facet = facets.get(name);
        if (facet !== undefined) return facet;
        facet = new Facet(this.#parent, name);
        if (facet.depth > DEPTH_MAX) throw new Error(`Facets cannot be nested more than ${DEPTH_MAX} levels deep.`);
        facets.set(name, facet);
        return facet;
    }

    get(name, getStartup) {
        if (typeof getStartup !== "function")
            throw new TypeError("Failed to execute 'get' on 'DurableObjectFacets': parameter 2 is not of type 'Function'.");
        const facet = this.#facet(nameOf(name));
        facet.getStartup = getStartup;
        return facet.stub();
    }

    abort(name, reason) {
        this.#parent.facets.get(nameOf(name))?.stop(reason instanceof Error ? reason : new Error(String(reason)));
    }

    delete(name) {
        this.#facet(nameOf(name)).delete();
    }
}
Object.defineProperty(DurableObjectFacets.prototype, Symbol.toStringTag, { value: "DurableObjectFacets", configurable: true });

export const makeFacets = (instance) => new DurableObjectFacets(MAKE, instance);
