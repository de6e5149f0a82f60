/* The module cloudflare:email: a message that a Worker makes. https://developers.cloudflare.com/email-routing/email-workers/runtime-api/ */
export class EmailMessage {
    #from;
    #to;
    #raw;

    constructor(from, to, raw) {
        for (const [i, text] of [from, to].entries())
            if (text === undefined)
                throw new TypeError(`Failed to construct 'EmailMessage': constructor parameter ${i + 1} is not of type 'string'.`);
        this.#from = `${from}`;
        this.#to = `${to}`;
        this.#raw = raw;
    }

    get from() { return this.#from; }
    get to() { return this.#to; }
    get raw() { return this.#raw; }
}
