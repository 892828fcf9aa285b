// The page of the API: operations are read without a script, and tried with one.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { launch, visit } from "./support/browser.js";
import { serve } from "./support/server.js";

describe("docs", () => {
  let browser, server;

  before(async () => {
    browser = await launch();
    server = await serve("apps/notes");
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it("creates a note and shows the answer", async () => {
    const { page, leave } = await visit(browser);
    const foreign = [];
    page.on("request", (request) => {
      if (!request.url().startsWith(server.base)) foreign.push(request.url());
    });
    await page.goto(`${server.base}/docs#create_note`);
    const operation = page.locator("#create_note");
    await operation.locator("textarea").fill('{"title": "Milk", "content": "Two litres"}');
    await operation.locator("button").click();
    const answer = operation.locator(".answer");
    await answer.getByText("201 Created").waitFor();
    assert.match(await answer.textContent(), /"title": "Milk"/);
    assert.match(await answer.textContent(), /location: \/api\/notes\/1/);

    await page.locator("#get_note > summary").click();
    await page.locator("#get_note [name=id]").fill("1");
    await page.locator("#get_note button").click();
    await page.locator("#get_note .answer").getByText("200 OK").waitFor();

    await page.locator("#list_notes > summary").click();
    await page.locator("#list_notes-more").fill("title__contains=nothing");
    await page.locator("#list_notes button").click();
    await page.locator("#list_notes .answer").getByText('"total": 0').waitFor();
    assert.deepEqual(foreign, []);
    await leave();
  });
});
