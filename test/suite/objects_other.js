import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';

export class Greeter extends WorkerEntrypoint {
    greet(name) {
        return `${this.ctx.props.word} ${name}`;
    }

    async ask(url) {
        return (await fetch(url)).text();
    }
}

export class Far extends DurableObject {
    where() {
        return this.ctx.id.name;
    }
}

export default {};
