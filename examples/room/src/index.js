/* Rooms: one Durable Object each. Everything else is a static asset. */
import { Room } from "./room.js";

export { Room };

const NAME = /^[a-z0-9-]{1,40}$/;

export default {
    async fetch(request, env) {
        const [, api, kind, name] = new URL(request.url).pathname.split("/");
        if (api !== "api" || kind !== "rooms") return new Response("Nothing is here.", { status: 404 });
        if (!NAME.test(name ?? "")) return new Response("A room's name has 1 to 40 letters, digits and dashes.", { status: 400 });
        const room = env.ROOMS.getByName(name);
        if (request.headers.get("upgrade") === "websocket") return room.fetch(request);
        return Response.json(await room.summary());
    },
};
