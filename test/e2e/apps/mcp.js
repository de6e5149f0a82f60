// A server of the Model Context Protocol over streamable HTTP, without state.
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { z } from "zod";

function makeServer(env) {
  const server = new McpServer({ name: "selvedge-test", version: "1.0.0" });
  server.registerTool("add", { description: "Adds two numbers", inputSchema: { a: z.number(), b: z.number() } },
    async ({ a, b }) => ({ content: [{ type: "text", text: String(a + b) }] }));
  server.registerResource("name", "text://name", { mimeType: "text/plain" }, async (uri) => ({ contents: [{ uri: uri.href, text: env.NAME }] }));
  server.registerPrompt("greet", { argsSchema: { who: z.string() } },
    ({ who }) => ({ messages: [{ role: "user", content: { type: "text", text: `Greet ${who}` } }] }));
  return server;
}

export default {
  async fetch(request, env) {
    const transport = new WebStandardStreamableHTTPServerTransport({ sessionIdGenerator: undefined });
    await makeServer(env).connect(transport);
    return transport.handleRequest(request);
  },
};
