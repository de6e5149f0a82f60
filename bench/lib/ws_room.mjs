// The same room as workers/room.js on Node with `ws`: prints its port.
import { WebSocketServer } from "ws";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false }, () => process.stdout.write(`${server.address().port}\n`));
server.on("connection", (socket) => {
    socket.on("message", (message, binary) => {
        for (const other of server.clients) other.send(message, { binary });
    });
});
