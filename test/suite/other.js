import { WorkerEntrypoint } from 'cloudflare:workers';

export class Named extends WorkerEntrypoint {
    fetch() {
        return new Response('named');
    }
}

export default {
    async fetch(request) {
        const { pathname } = new URL(request.url);
        if (pathname === '/throw') throw new Error('from the other');
        return new Response((await request.text()).toUpperCase(), { status: 201, headers: { 'x-path': pathname } });
    },
};
