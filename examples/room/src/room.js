/*
 * One room: a document of paragraphs that everybody edits, a chat, and who is here.
 *
 * Document and chat are rows in the object's own SQLite database. Sockets hibernate: while nobody types, the object
 * is not in memory, and what it knows of a person lies in the attachment of the person's socket. A room that stays
 * empty is forgotten by an alarm.
 *
 * A paragraph has a version. An edit names the version that it was made from; the later of two edits of the same
 * version is refused, and its author gets the paragraph as it is now.
 */
import { DurableObject } from "cloudflare:workers";

const FORGET_MS = 7 * 24 * 3600 * 1000;
const CHAT_KEPT = 200, CHAT_SHOWN = 50;
const TEXT_MAX = 4000, NAME_MAX = 30, PARAGRAPHS_MAX = 500;
const COLORS = ["#c2410c", "#0f766e", "#6d28d9", "#b91c1c", "#1d4ed8", "#4d7c0f", "#a21caf", "#0369a1"];

export class Room extends DurableObject {
    constructor(ctx, env) {
        super(ctx, env);
        this.sql = ctx.storage.sql;
        this.sql.exec(`
            CREATE TABLE IF NOT EXISTS paragraph(id TEXT PRIMARY KEY, place REAL NOT NULL, text TEXT NOT NULL, version INTEGER NOT NULL, author TEXT NOT NULL);
            CREATE TABLE IF NOT EXISTS message(id INTEGER PRIMARY KEY, at INTEGER NOT NULL, name TEXT NOT NULL, color TEXT NOT NULL, text TEXT NOT NULL);
        `);
        // Keep-alive questions are answered without waking the room.
        ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    }

    /* --- what Workers may ask --- */

    summary() {
        const [{ paragraphs }] = this.sql.exec("SELECT count(*) AS paragraphs FROM paragraph");
        const [{ messages }] = this.sql.exec("SELECT count(*) AS messages FROM message");
        return { paragraphs, messages, people: this.people().length };
    }

    async fetch(request) {
        const [client, server] = Object.values(new WebSocketPair());
        const name = (new URL(request.url).searchParams.get("name") ?? "").trim().slice(0, NAME_MAX) || "Somebody";
        const taken = this.people().map((person) => person.color);
        const color = COLORS.find((c) => !taken.includes(c)) ?? COLORS[Math.floor(Math.random() * COLORS.length)];
        const person = { id: crypto.randomUUID(), name, color, paragraph: null };
        this.ctx.acceptWebSocket(server);
        server.serializeAttachment(person);
        server.send(JSON.stringify({ type: "welcome", you: person, people: this.people(), paragraphs: this.paragraphs(), messages: this.messages() }));
        this.tell({ type: "came", person }, server);
        await this.ctx.storage.deleteAlarm(); // somebody is here
        return new Response(null, { status: 101, webSocket: client });
    }

    /* --- sockets --- */

    webSocketMessage(socket, text) {
        let message;
        try {
            message = JSON.parse(text);
        } catch {
            socket.close(1003, "Messages are JSON.");
            return;
        }
        const person = socket.deserializeAttachment();
        if (message.type === "edit") this.edit(socket, person, message);
        else if (message.type === "remove") this.remove(message);
        else if (message.type === "say") this.say(person, message);
        else if (message.type === "at") this.at(socket, person, message);
    }

    async webSocketClose(socket) {
        const { id } = socket.deserializeAttachment();
        this.tell({ type: "left", id }, socket);
        if (this.people(socket).length === 0) await this.ctx.storage.setAlarm(Date.now() + FORGET_MS);
    }

    /* Nobody has been here for a week. */
    async alarm() {
        if (this.people().length === 0) await this.ctx.storage.deleteAll();
    }

    /* --- who is here --- */

    people(without = null) {
        return this.ctx.getWebSockets().filter((socket) => socket !== without && socket.readyState === WebSocket.OPEN).map((socket) => socket.deserializeAttachment());
    }

    tell(message, without = null) {
        const text = JSON.stringify(message);
        for (const socket of this.ctx.getWebSockets())
            if (socket !== without && socket.readyState === WebSocket.OPEN) socket.send(text);
    }

    at(socket, person, { paragraph }) {
        person.paragraph = typeof paragraph === "string" ? paragraph.slice(0, 40) : null;
        socket.serializeAttachment(person);
        this.tell({ type: "at", id: person.id, paragraph: person.paragraph }, socket);
    }

    /* --- the document --- */

    paragraphs() {
        return this.sql.exec("SELECT id, place, text, version, author FROM paragraph ORDER BY place, id").toArray();
    }

    edit(socket, person, { id, place, text, version }) {
        if (typeof id !== "string" || id.length > 40 || typeof text !== "string" || text.length > TEXT_MAX || !Number.isFinite(place)) return;
        const now = this.sql.exec("SELECT id, place, text, version, author FROM paragraph WHERE id = ?", id).toArray()[0];
        if ((now?.version ?? 0) !== version) {
            if (now !== undefined) socket.send(JSON.stringify({ type: "paragraph", paragraph: now, yours: id }));
            else socket.send(JSON.stringify({ type: "removed", id }));
            return;
        }
        if (now === undefined && this.paragraphs().length >= PARAGRAPHS_MAX) return;
        const paragraph = { id, place, text, version: version + 1, author: person.name };
        this.sql.exec("INSERT OR REPLACE INTO paragraph(id, place, text, version, author) VALUES (?, ?, ?, ?, ?)", id, place, text, paragraph.version, person.name);
        this.tell({ type: "paragraph", paragraph, by: person.id });
    }

    remove({ id }) {
        const { rowsWritten } = this.sql.exec("DELETE FROM paragraph WHERE id = ?", String(id));
        if (rowsWritten > 0) this.tell({ type: "removed", id });
    }

    /* --- the chat --- */

    messages() {
        return this.sql.exec("SELECT id, at, name, color, text FROM message ORDER BY id DESC LIMIT ?", CHAT_SHOWN).toArray().reverse();
    }

    say(person, { text }) {
        if (typeof text !== "string" || text.trim() === "" || text.length > TEXT_MAX) return;
        const message = this.sql.exec("INSERT INTO message(at, name, color, text) VALUES (?, ?, ?, ?) RETURNING id, at, name, color, text",
            Date.now(), person.name, person.color, text.trim()).one();
        this.sql.exec("DELETE FROM message WHERE id <= ?", message.id - CHAT_KEPT);
        this.tell({ type: "said", message });
    }
}
