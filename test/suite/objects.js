// What a description may bind: objects, entrypoints with props, stores.
import assert from 'node:assert';
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';

export class World extends WorkerEntrypoint {
    fetch(request) {
        return new Response(`world: ${request.url}`);
    }
}

export class Counter extends DurableObject {
    add() {
        this.ctx.storage.sql.exec('CREATE TABLE IF NOT EXISTS t (n INTEGER)');
        this.ctx.storage.sql.exec('INSERT INTO t VALUES (1)');
        return this.ctx.storage.sql.exec('SELECT sum(n) AS n FROM t').one().n;
    }

    async ring() {
        await this.ctx.storage.setAlarm(Date.now() + 20);
    }

    async rung() {
        return (await this.ctx.storage.get('rung')) ?? 0;
    }

    async alarm() {
        await this.ctx.storage.put('rung', 1 + (await this.rung()));
    }

    fetch() {
        const [client, server] = Object.values(new WebSocketPair());
        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(socket, message) {
        socket.send(`${message}!`);
    }
}

export class Old {
    constructor(state) {
        this.storage = state.storage;
    }

    async fetch() {
        await this.storage.put('a', 1);
        return Response.json(await this.storage.get('a'));
    }
}

export const counts = {
    async test(controller, env) {
        const stub = env.COUNTER.getByName('one');
        assert.strictEqual(await stub.add(), 1);
        assert.strictEqual(await stub.add(), 2);
        assert.strictEqual(await env.COUNTER.getByName('two').add(), 1);
    },
};

export const keyValues = {
    async test(controller, env) {
        const response = await env.OLD.get(env.OLD.newUniqueId()).fetch('http://object/');
        assert.strictEqual(await response.text(), '1');
    },
};

export const alarms = {
    async test(controller, env) {
        const stub = env.COUNTER.getByName('clock');
        await stub.ring();
        while ((await stub.rung()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
        assert.strictEqual(await stub.rung(), 1);
    },
};

export const sockets = {
    async test(controller, env) {
        const response = await env.COUNTER.getByName('socket').fetch('http://object/', { headers: { upgrade: 'websocket' } });
        const socket = response.webSocket;
        socket.accept();
        const said = new Promise((resolve) => socket.addEventListener('message', ({ data }) => resolve(data)));
        socket.send('hi');
        assert.strictEqual(await said, 'hi!');
        socket.close();
    },
};

export const others = {
    async test(controller, env) {
        assert.strictEqual(await env.GREETER.greet('you'), 'hello you');
        assert.strictEqual(await env.FAR.getByName('far').where(), 'far');
        assert.strictEqual(await env.GREETER.ask('http://anywhere.example/'), 'world: http://anywhere.example/');
    },
};

export const stores = {
    async test(controller, env) {
        await env.KV.put('a', 'b');
        assert.strictEqual(await env.KV.get('a'), 'b');
        await env.BUCKET.put('thing', 'content');
        assert.strictEqual(await (await env.BUCKET.get('thing')).text(), 'content');
        await env.DB.exec('CREATE TABLE t (a INTEGER)');
        await env.DB.prepare('INSERT INTO t VALUES (?)').bind(7).run();
        assert.strictEqual(await env.DB.prepare('SELECT a FROM t').first('a'), 7);
    },
};

export class Part extends DurableObject {
    calls = 0;

    add(n) {
        const sum = ((this.ctx.storage.kv.get('sum')) ?? 0) + n;
        this.ctx.storage.kv.put('sum', sum);
        return [this.ctx.props.word ?? null, ++this.calls, sum, this.ctx.id.name];
    }

    fetch() {
        return new Response('part');
    }
}

export class Whole extends DurableObject {
    part(name, props) {
        return this.ctx.facets.get(name, async () => ({ class: props === undefined ? this.ctx.exports.Part : this.ctx.exports.Part({ props }) }));
    }

    async run() {
        const one = this.part('one', { word: 'hi' }), two = this.part('two');
        const seen = [await one.add(1), await one.add(2), await two.add(5), await (await two.fetch('http://x/')).text()];
        this.ctx.facets.abort('one', new Error('enough'));
        seen.push(await this.part('one').add(10));
        this.ctx.facets.delete('one');
        seen.push(await this.part('one').add(100));
        seen.push(this.ctx.storage.kv.get('sum') ?? null);
        const wrong = this.ctx.facets.get('wrong', () => ({ class: Part }));
        seen.push(await wrong.add(1).catch((error) => error.name));
        return seen;
    }

    kept() {
        return this.part('one').add(0);
    }

    end() {
        this.ctx.abort('again');
    }
}

export const facets = {
    async test(controller, env) {
        const stub = env.WHOLE.getByName('whole');
        assert.deepStrictEqual(await stub.run(), [
            ['hi', 1, 1, 'whole'], ['hi', 2, 3, 'whole'], [null, 1, 5, 'whole'], 'part', [null, 1, 13, 'whole'], [null, 1, 100, 'whole'], null, 'TypeError',
        ]);
        await assert.rejects(stub.end(), /again/);
        assert.deepStrictEqual(await env.WHOLE.getByName('whole').kept(), [null, 1, 100, 'whole']);
    },
};
