import { caught } from "../../worker/report.js";

/* A new minute may begin in between: then once more. */
const steady = async (fn) => {
    for (;;) {
        const minute = Math.floor(Date.now() / 60000);
        const value = await fn(`${Math.random()}`);
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (Math.floor(Date.now() / 60000) === minute) return value;
    }
};
const times = async (n, fn) => { const out = []; for (let i = 0; i < n; i++) out.push((await fn()).success); return out; };

export default {
    "limit": ({ env }) => steady((key) => times(5, () => env.RATE.limit({ key }))),
    "keys are apart": ({ env }) => steady(async (key) => [await times(4, () => env.RATE.limit({ key })), await times(4, () => env.RATE.limit({ key: `${key}x` }))]),
    "answer": ({ env }) => steady(async (key) => env.RATE.limit({ key })),
    "together": ({ env }) => steady(async (key) => (await Promise.all([1, 2, 3, 4, 5].map(() => env.RATE.limit({ key })))).filter((r) => r.success).length),
    "another limit": ({ env }) => steady((key) => times(3, () => env.RATE.limit({ key, limit: 1 }))),
    "another period": ({ env }) => steady((key) => times(2, () => env.RATE.limit({ key, period: 10 }))),
    "no options": ({ env }) => caught(() => env.RATE.limit()),
    "null": ({ env }) => caught(() => env.RATE.limit(null)),
    "text": ({ env }) => caught(() => env.RATE.limit("key")),
    "unknown options": ({ env }) => caught(() => env.RATE.limit({ key: "a", a: 1, b: 2 })),
    "key of another type": ({ env }) => caught(() => env.RATE.limit({ key: 5 })),
    "bad limit": ({ env }) => caught(() => env.RATE.limit({ key: "a", limit: "5" })),
    "bad period": ({ env }) => caught(() => env.RATE.limit({ key: "a", period: "5" })),
    "unsupported period": ({ env }) => caught(() => env.RATE.limit({ key: "a", period: 30 })),
    "type": ({ env }) => [typeof env.RATE, typeof env.RATE.limit],
};
