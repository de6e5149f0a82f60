/* The page of a room: the address says which (#name), the address's ?name= or a question who. */
const $ = (id) => document.getElementById(id);
const room = /^[a-z0-9-]{1,40}$/.test(location.hash.slice(1)) ? location.hash.slice(1) : "lobby";
const PING_MS = 30_000, AGAIN_MS = 1000, TYPING_MS = 250;

let name = new URLSearchParams(location.search).get("name") ?? sessionStorage.getItem("name") ?? "";
let socket = null, me = null, wanted = null; // wanted: paragraph of ours to be focused when it is there
const people = new Map(), paragraphs = new Map(); // id → {data, element, area, timer, sent}

/* --- talking --- */

function send(message) {
    if (socket?.readyState !== WebSocket.OPEN) return false;
    socket.send(JSON.stringify(message));
    return true;
}

function connect() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    socket = new WebSocket(`${scheme}//${location.host}/api/rooms/${room}?name=${encodeURIComponent(name)}`);
    const ping = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send("ping"), PING_MS);
    socket.onopen = () => state("connected", true);
    socket.onmessage = ({ data }) => data !== "pong" && receive(JSON.parse(data));
    socket.onclose = () => {
        clearInterval(ping);
        state("reconnecting…", false);
        setTimeout(connect, AGAIN_MS);
    };
}

function state(text, open) {
    $("state").textContent = text;
    $("state").classList.toggle("open", open);
}

const handlers = {
    welcome({ you, people: here, paragraphs: list, messages }) {
        me = you;
        people.clear();
        for (const person of here) people.set(person.id, person);
        const known = new Set(list.map((p) => p.id));
        for (const id of [...paragraphs.keys()]) if (!known.has(id)) drop(id);
        for (const paragraph of list) show(paragraph);
        $("messages").replaceChildren(...messages.map(line));
        bottom();
        showPeople();
    },
    came({ person }) { people.set(person.id, person); showPeople(); },
    left({ id }) { people.delete(id); showPeople(); },
    at({ id, paragraph }) { const person = people.get(id); if (person) person.paragraph = paragraph; showPeople(); },
    paragraph({ paragraph, by }) { show(paragraph, by === me?.id); },
    removed({ id }) { drop(id); },
    said({ message }) { $("messages").append(line(message)); bottom(); },
};

function receive(message) {
    handlers[message.type]?.(message);
}

/* --- people --- */

function showPeople() {
    $("people").replaceChildren(...[...people.values()].map((person) => {
        const item = document.createElement("li");
        item.textContent = [...person.name][0].toUpperCase();
        item.title = person.id === me.id ? `${person.name} (you)` : person.name;
        item.style.background = person.color;
        item.classList.toggle("me", person.id === me.id);
        return item;
    }));
    for (const { data, element } of paragraphs.values()) {
        const there = [...people.values()].filter((p) => p.paragraph === data.id && p.id !== me.id);
        element.style.setProperty("--at", there[0]?.color ?? "transparent");
        element.querySelector(".who").textContent = there.map((p) => p.name).join(", ");
    }
}

/* --- the document --- */

function make(data) {
    const element = document.createElement("div"), area = document.createElement("textarea"), who = document.createElement("span");
    element.className = "paragraph";
    element.dataset.id = data.id;
    who.className = "who";
    area.rows = 1;
    area.maxLength = 4000;
    area.setAttribute("aria-label", "Paragraph");
    element.append(area, who);
    const entry = { data, element, area, timer: null, sent: null };
    area.oninput = () => {
        grow(area);
        entry.timer ??= setTimeout(() => flush(entry), TYPING_MS);
    };
    area.onfocus = () => send({ type: "at", paragraph: entry.data.id });
    area.onblur = () => {
        flush(entry);
        send({ type: "at", paragraph: null });
    };
    area.onkeydown = (event) => {
        if (event.key === "Enter" && !event.shiftKey) {
            event.preventDefault();
            add(entry);
        } else if (event.key === "Backspace" && area.value === "" && paragraphs.size > 1) {
            event.preventDefault();
            send({ type: "remove", id: entry.data.id });
        }
    };
    paragraphs.set(data.id, entry);
    return entry;
}

/* What was typed goes out when the answer to what went before is there. */
function flush(entry) {
    clearTimeout(entry.timer);
    entry.timer = null;
    if (entry.sent !== null || entry.area.value === entry.data.text) return;
    const { id, place, version } = entry.data;
    if (send({ type: "edit", id, place, version, text: entry.area.value })) entry.sent = entry.area.value;
}

function grow(area) {
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
}

function show(data, mine = false) {
    const entry = paragraphs.get(data.id) ?? make(data);
    const typed = entry.sent !== null ? entry.sent : entry.data.text;
    const dirty = mine && entry.area.value !== typed; // typed on since it was sent
    entry.data = data;
    entry.sent = null;
    if (!dirty) entry.area.value = data.text;
    place(entry);
    grow(entry.area);
    if (dirty) flush(entry);
    if (wanted === data.id) {
        wanted = null;
        entry.area.focus();
    }
    showPeople();
}

function place({ data, element }) {
    const after = [...paragraphs.values()].filter((p) => p.data.id !== data.id && p.element.isConnected && (p.data.place > data.place || (p.data.place === data.place && p.data.id > data.id)));
    after.sort((a, b) => a.data.place - b.data.place || (a.data.id < b.data.id ? -1 : 1));
    const next = after[0]?.element ?? null;
    if (!element.isConnected || element.nextElementSibling !== next) $("paragraphs").insertBefore(element, next);
}

function drop(id) {
    const entry = paragraphs.get(id);
    if (entry === undefined) return;
    const before = entry.element.previousElementSibling;
    const focused = document.activeElement === entry.area;
    paragraphs.delete(id);
    entry.element.remove();
    if (focused) before?.querySelector("textarea").focus();
}

/* A paragraph behind that one, or at the end. */
function add(entry = null) {
    const places = [...paragraphs.values()].map((p) => p.data.place).sort((a, b) => a - b);
    const last = places.at(-1) ?? 0;
    const next = entry === null ? undefined : places.find((p) => p > entry.data.place);
    const at = next === undefined ? last + 1 : (entry.data.place + next) / 2;
    if (entry !== null) flush(entry);
    wanted = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`.slice(0, 40);
    send({ type: "edit", id: wanted, place: at, version: 0, text: "" });
}

/* --- the chat --- */

function line({ at, name: by, color, text }) {
    const item = document.createElement("li"), head = document.createElement("b"), time = document.createElement("time"), body = document.createElement("p");
    head.textContent = by;
    item.style.setProperty("--by", color);
    time.dateTime = new Date(at).toISOString();
    time.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    body.textContent = text;
    item.append(head, time, body);
    return item;
}

function bottom() {
    $("messages").scrollTop = $("messages").scrollHeight;
}

/* --- beginning --- */

$("room").textContent = room;
document.title = `${room} · Room`;
$("add").onclick = () => add();
$("say").onsubmit = (event) => {
    event.preventDefault();
    if (send({ type: "say", text: $("text").value })) $("text").value = "";
};
window.onhashchange = () => location.reload();
// A page that is only kept for the way back is nobody who is here; when it is shown again it connects again.
window.onpagehide = () => socket?.close(1000);

if (name !== "") {
    connect();
} else {
    $("enter").showModal();
    $("enter").onclose = () => {
        name = $("name").value.trim() || "Somebody";
        sessionStorage.setItem("name", name);
        connect();
    };
}
