import { z } from "zod";

const User = z.object({
  name: z.string().min(2),
  mail: z.email(),
  age: z.coerce.number().int().positive().optional(),
  tags: z.array(z.enum(["a", "b"])).default([]),
}).strict();

export default {
  async fetch(request) {
    if (request.method === "GET") return Response.json(z.toJSONSchema(User));
    const parsed = User.safeParse(await request.json());
    if (parsed.success) return Response.json(parsed.data);
    return Response.json(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.code}`), { status: 422 });
  },
};
