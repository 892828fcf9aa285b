// A client of the TODO-Backend interface, in a page of another origin: what its public
// specification asks of a backend, by that client's own means.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, describe, it } from "node:test";

import { launch, visit } from "./support/browser.js";
import { serve } from "./support/server.js";

// A page on another origin with nothing on it.
async function elsewhere() {
  const site = createServer((request, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(`<!doctype html><html lang="en"><title>client</title><link rel="icon" href="data:,">`);
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  return { base: `http://localhost:${site.address().port}`, stop: () => new Promise((done) => site.close(done)) };
}

describe("a to-do client of another origin", () => {
  let browser, server, site, client;

  before(async () => {
    browser = await launch();
    server = await serve("examples/todo");
    site = await elsewhere();
    client = await visit(browser);
    await client.page.goto(site.base);
  });
  after(async () => {
    await client?.leave();
    await browser?.close();
    await server?.stop();
    await site?.stop();
  });

  // One call as the client makes it; the body as JSON, if there is one.
  const ask = (method, url, body) =>
    client.page.evaluate(
      async ([method, url, body]) => {
        const headers = body === undefined ? {} : { "content-type": "application/json" };
        const reply = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
        const text = await reply.text();
        return { status: reply.status, body: text === "" ? null : JSON.parse(text) };
      },
      [method, url, body],
    );
  const root = () => `${server.base}/api/todos`;

  it("reads, adds and deletes all at the root", async () => {
    assert.deepEqual(await ask("GET", root()), { status: 200, body: [] });
    const made = await ask("POST", root(), { title: "walk the dog" });
    assert.equal(made.body.title, "walk the dog");
    assert.equal(made.body.completed, false);
    assert.deepEqual((await ask("GET", root())).body, [made.body]);
    const deleted = await ask("DELETE", root());
    assert.ok(deleted.status >= 200 && deleted.status < 300);
    assert.deepEqual((await ask("GET", root())).body, []);
  });

  it("follows the address in each to-do", async () => {
    const made = (await ask("POST", root(), { title: "my todo", order: 523 })).body;
    assert.equal(typeof made.url, "string");
    assert.deepEqual((await ask("GET", made.url)).body, made);
    const [listed] = (await ask("GET", root())).body;
    assert.equal((await ask("GET", listed.url)).body.title, "my todo");
    assert.equal(made.order, 523);
  });

  it("changes and deletes one at its address", async () => {
    const { url } = (await ask("POST", root(), { title: "initial title" })).body;
    assert.equal((await ask("PATCH", url, { title: "bathe the cat" })).body.title, "bathe the cat");
    assert.equal((await ask("PATCH", url, { completed: true })).body.completed, true);
    assert.equal((await ask("PATCH", url, { order: 95 })).body.order, 95);
    const kept = (await ask("GET", url)).body;
    assert.deepEqual([kept.title, kept.completed, kept.order], ["bathe the cat", true, 95]);
    assert.ok((await ask("GET", root())).body.some((todo) => todo.url === url && todo.completed));
    await ask("DELETE", url);
    assert.ok(!(await ask("GET", root())).body.some((todo) => todo.url === url));
  });
});
