export const order = [];
order.push("start");
await null;
order.push("after");
export const value = await Promise.resolve("awaited");
