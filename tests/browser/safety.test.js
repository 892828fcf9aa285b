// What other sites and stored texts try in a browser that runs scripts.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import { once } from "node:events";
import { after, before, describe, it } from "node:test";

import { launch, visit } from "./support/browser.js";
import { serve } from "./support/server.js";

const SCRIPT = `"><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>'`;

// Another site on loopback: every page of it sends a form to the server under test at once.
async function attacker(target) {
  const site = createServer((request, response) => {
    const action = target + new URL(request.url, "http://x").pathname;
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(
      `<!doctype html><html lang="en"><title>x</title><form method="post" action="${action}">` +
        `<input name="title" value="stolen"><input name="content" value="stolen"></form>` +
        `<script>document.forms[0].submit()</script>`,
    );
  });
  site.listen(0, "127.0.0.1");
  await once(site, "listening");
  // By another name, since ports do not tell sites apart.
  return { base: `http://localhost:${site.address().port}`, stop: () => new Promise((done) => site.close(done)) };
}

describe("safety in a browser", () => {
  let browser, server;

  before(async () => {
    browser = await launch();
    server = await serve("apps/notes");
    await server.create("notes", { title: SCRIPT, content: SCRIPT });
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it("refuses forms that another site sends", async () => {
    const evil = await attacker(server.base);
    const { page, leave } = await visit(browser, { ignoreHTTPSErrors: true });
    const before = await (await fetch(`${server.base}/api/notes`)).json();
    // The visitor has a form cookie of the server, as somebody who uses it would.
    await page.goto(`${server.base}/notes/new`);
    for (const path of ["/notes/new", "/notes/1/edit", "/notes/1/delete"]) {
      const answered = page.waitForResponse((response) => response.url() === server.base + path);
      await page.goto(evil.base + path).catch(() => {});
      assert.equal((await answered).status(), 400, path);
    }
    const left = await (await fetch(`${server.base}/api/notes`)).json();
    assert.deepEqual(left, before);
    await leave();
    await evil.stop();
  });

  it("runs nothing of what is stored", async () => {
    const { page, leave } = await visit(browser);
    const places = [
      "/api/notes",
      "/api/notes/1",
      "/api/notes/search?q=script",
      "/",
      "/notes",
      `/notes?q=${encodeURIComponent(SCRIPT)}`,
      "/notes/1",
      "/notes/1/edit",
      "/notes/1/delete",
      `/${encodeURIComponent(SCRIPT)}`,
      `/api/${encodeURIComponent(SCRIPT)}`,
    ];
    for (const path of places) {
      await page.goto(server.base + path, { waitUntil: "load" });
      assert.equal(await page.locator("main script, img, main svg").count(), 0, path);
    }
    await leave();
  });

  it("shows a refused form's text as text", async () => {
    const { page, leave } = await visit(browser);
    await page.goto(`${server.base}/notes/new`);
    await page.getByLabel("Title").fill(SCRIPT.repeat(10));
    await page.getByLabel("Content").fill(`</textarea>${SCRIPT}`);
    await page.getByRole("button", { name: "Create" }).click();
    assert.equal(await page.getByLabel("Content").inputValue(), `</textarea>${SCRIPT}`);
    assert.equal(await page.locator("main script, img, main svg").count(), 0);
    await leave();
  });
});
