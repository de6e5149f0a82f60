// better-auth over D1: people sign up, sign in and out by mail and password.
import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { env } from "cloudflare:workers";

const options = {
  baseURL: "http://better-auth.localhost",
  secret: "a secret of at least thirty-two characters",
  database: env.DB,
  emailAndPassword: { enabled: true },
  trustedOrigins: ["*"],
};
const auth = betterAuth(options);

export default {
  async fetch(request) {
    if (new URL(request.url).pathname === "/migrate") {
      await (await getMigrations(options)).runMigrations();
      return new Response("migrated");
    }
    return auth.handler(request);
  },
};
