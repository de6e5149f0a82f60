/* The Worker's compatibility flags: set once, before its code runs. */
export const flags = {};

/* On from a date, unless the Worker asks for the opposite ("no_<name>" where nothing else is said). */
const DEFAULT_ON = {
    url_standard: "2022-10-31", global_navigator: "2022-03-21", streams_enable_constructors: "2022-11-30",
    transformstream_enable_standard_constructor: "2022-11-30", web_socket_compression: "2023-08-15",
    handle_cross_request_promise_resolution: "2024-10-14", expose_global_message_channel: "2025-08-15",
    websocket_standard_binary_type: "2026-03-17", web_socket_auto_reply_to_close: "2026-04-07",
};
const OPPOSITE = { web_socket_auto_reply_to_close: "web_socket_manual_reply_to_close" };

export function setFlags(date, given) {
    for (const name of Object.keys(flags)) delete flags[name]; // of the Worker that only warmed us up
    for (const name of given) flags[name] = true;
    for (const [name, since] of Object.entries(DEFAULT_ON))
        if (date >= since && !given.includes(OPPOSITE[name] ?? `no_${name}`)) flags[name] = true;
}
