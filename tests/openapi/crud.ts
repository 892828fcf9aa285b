// A round of reading and writing with the types that openapi-typescript makes.

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { paths } from "./made/notes.js";

const client = createClient<paths>({ baseUrl: process.argv[2] });

const made = await client.POST("/api/notes", { body: { title: "Milk", content: "Two litres" } });
assert.equal(made.response.status, 201);
assert.ok(made.data);
const path = { id: made.data.id };

const read = await client.GET("/api/notes/{id}", { params: { path } });
assert.equal(read.data?.title, "Milk");

const etag = read.response.headers.get("etag") ?? "";
const changed = await client.PATCH("/api/notes/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: { title: "Bread" },
});
assert.equal(changed.data?.title, "Bread");

const stale = await client.PATCH("/api/notes/{id}", {
  params: { path, header: { "If-Match": etag } },
  body: { title: "Rolls" },
});
assert.equal(stale.error?.status, 412);

const list = await client.GET("/api/notes", { params: { query: { q: "bread", sort: ["-id"] } } });
assert.equal(list.data?.notes[0]?.id, path.id);

const refused = await client.POST("/api/notes", { body: { title: "", content: "" } });
assert.deepEqual(refused.error?.errors?.map((fault) => fault.code), ["required", "required"]);

const deleted = await client.DELETE("/api/notes/{id}", { params: { path } });
assert.ok(deleted.response.ok);
const gone = await client.GET("/api/notes/{id}", { params: { path } });
assert.equal(gone.error?.error, "Resource not found");
