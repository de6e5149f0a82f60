// The Vercel AI SDK: text and objects that stream from a model which is simulated here, and tools that it calls.
import { convertToModelMessages, generateText, Output, simulateReadableStream, stepCountIs, streamText, tool } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { z } from "zod";

const usage = { inputTokens: { total: 3 }, outputTokens: { total: 4 } };
const finish = (unified = "stop") => ({ type: "finish", finishReason: { unified, raw: unified }, usage });
const text = (...deltas) => [
  { type: "text-start", id: "1" }, ...deltas.map((delta) => ({ type: "text-delta", id: "1", delta })), { type: "text-end", id: "1" }, finish(),
];
const model = (...answers) => new MockLanguageModelV3({
  doStream: async () => ({ stream: simulateReadableStream({ chunks: answers.shift(), chunkDelayInMs: 2 }) }),
  doGenerate: async () => ({ content: answers.shift(), finishReason: { unified: "stop", raw: "stop" }, usage, warnings: [] }),
});

const weather = tool({
  description: "The weather of a city",
  inputSchema: z.object({ city: z.string() }),
  execute: async ({ city }) => `rain in ${city}`,
});

const routes = {
  "/text": () => streamText({ model: model(text("Hello", ", ", "world")), prompt: "greet" }).toTextStreamResponse(),
  async "/chat"(request) {
    const { messages } = await request.json();
    return streamText({ model: model(text("You said ", "hi")), messages: await convertToModelMessages(messages) }).toUIMessageStreamResponse();
  },
  async "/tool"() {
    const call = [{ type: "tool-call", toolCallId: "c1", toolName: "weather", input: '{"city":"Bern"}' }, finish("tool-calls")];
    const result = streamText({ model: model(call, text("Take a coat")), tools: { weather }, stopWhen: stepCountIs(2), prompt: "?" });
    const answer = await result.text;
    return Response.json({ steps: (await result.steps).map((step) => step.toolResults.map((r) => r.output)), answer });
  },
  async "/object"() {
    const schema = z.object({ n: z.number() });
    const { output } = await generateText({ model: model([{ type: "text", text: '{"n":7}' }]), output: Output.object({ schema }), prompt: "seven" });
    return Response.json(output);
  },
};

export default {
  fetch: (request) => routes[new URL(request.url).pathname](request),
};
