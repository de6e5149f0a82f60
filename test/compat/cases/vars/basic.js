import { kind } from "../../worker/report.js";

export default {
    "text": ({ env }) => env.TEXT,
    "json": ({ env }) => env.JSON,
    "secret": ({ env }) => env.SECRET,
    "json is an object": ({ env }) => typeof env.JSON,
    "keys": ({ env }) => Object.keys(env).sort(),
    "version keys": ({ env }) => Object.keys(env.VERSION).sort(),
    "version types": ({ env }) => [typeof env.VERSION.id, typeof env.VERSION.tag, typeof env.VERSION.timestamp],
    "version time": ({ env }) => !Number.isNaN(Date.parse(env.VERSION.timestamp)),
    "in": ({ env }) => ["TEXT" in env, "X" in env],
    "assign": ({ env }) => kind(() => { env.ADDED = 1; delete env.ADDED; return "assigned"; }),
};
