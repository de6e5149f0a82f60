// drizzle-orm over D1: relations, batches and transactions' replacement.
import { count, desc, eq, relations, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

const authors = sqliteTable("authors", { id: integer().primaryKey(), name: text().notNull().unique() });
const books = sqliteTable("books", {
  id: integer().primaryKey(), title: text().notNull(), author: integer().references(() => authors.id),
  meta: text({ mode: "json" }), added: integer({ mode: "timestamp" }),
});
const schema = {
  authors, books,
  authorRelations: relations(authors, ({ many }) => ({ books: many(books) })),
  bookRelations: relations(books, ({ one }) => ({ author: one(authors, { fields: [books.author], references: [authors.id] }) })),
};

export default {
  async fetch(request, env) {
    const db = drizzle(env.DB, { schema });
    await db.run(sql`CREATE TABLE authors (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE)`);
    await db.run(sql`CREATE TABLE books (id INTEGER PRIMARY KEY, title TEXT NOT NULL, author INTEGER REFERENCES authors(id), meta TEXT, added INTEGER)`);
    const [author] = await db.insert(authors).values({ name: "Le Guin" }).returning();
    const added = new Date(86_400_000);
    await db.batch([
      db.insert(books).values({ title: "The Dispossessed", author: author.id, meta: { year: 1974 }, added }),
      db.insert(books).values({ title: "The Word for World Is Forest", author: author.id, meta: { year: 1972 } }),
    ]);
    const conflict = await db.insert(authors).values({ name: "Le Guin" }).then(() => "accepted", (error) => String(error.cause?.message ?? error.message));
    await db.update(books).set({ title: sql`upper(${books.title})` }).where(eq(books.id, 2));
    const [n] = await db.select({ n: count() }).from(books);
    return Response.json({
      n: n.n,
      joined: await db.select({ title: books.title, by: authors.name }).from(books).innerJoin(authors, eq(books.author, authors.id)).orderBy(desc(books.id)),
      nested: await db.query.authors.findFirst({ with: { books: { columns: { title: true, meta: true, added: true } } } }),
      conflict,
    });
  },
};
