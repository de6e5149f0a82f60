// One object per room; what a socket says goes to all of the room.
import { DurableObject } from "cloudflare:workers";

export class Room extends DurableObject {
    fetch() {
        const [client, server] = Object.values(new WebSocketPair());
        this.ctx.acceptWebSocket(server);
        return new Response(null, { status: 101, webSocket: client });
    }

    webSocketMessage(socket, message) {
        for (const other of this.ctx.getWebSockets()) other.send(message);
    }
}

export default {
    fetch(request, env) {
        return env.ROOM.getByName(new URL(request.url).pathname).fetch(request).catch((e) => new Response(e.stack + JSON.stringify(e), { status: 500 }));
    },
};
