// nginx on a free port: a folder that GET reads and WebDAV's PUT writes.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { pause } from "./stats.mjs";

async function freePort() {
    const server = createServer().listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address();
    server.close();
    await once(server, "close");
    return port;
}

function configOf(folder, port) {
    return `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http {
    access_log off; sendfile on; tcp_nopush on; client_max_body_size 0; keepalive_requests 1000000;
    client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/t1; fastcgi_temp_path ${folder}/t2;
    uwsgi_temp_path ${folder}/t3; scgi_temp_path ${folder}/t4;
    server { listen 127.0.0.1:${port}; root ${folder}/files; location / { dav_methods PUT DELETE; create_full_put_path on; } }
}
`;
}

const accepts = (port) => new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => (socket.destroy(), resolve(true)));
    socket.once("error", () => resolve(false));
});

export async function startNginx(folder) {
    const port = await freePort(), config = join(folder, "nginx.conf");
    mkdirSync(join(folder, "files"));
    writeFileSync(config, configOf(folder, port));
    const child = spawn("nginx", ["-p", folder, "-e", join(folder, "error.log"), "-c", config], { stdio: "ignore" });
    const gone = once(child, "exit");
    for (let i = 0; i < 200 && !(await accepts(port)); i++) await pause(25);
    return { port, async stop() { child.kill("SIGKILL"); await gone; } };
}
