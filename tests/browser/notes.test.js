// The notes application as a person uses it in a browser that runs no scripts.

import assert from "node:assert/strict";
import { after, before, beforeEach, afterEach, describe, it } from "node:test";

import { launch, visit, watch } from "./support/browser.js";
import { serve } from "./support/server.js";

describe("notes without JavaScript", () => {
  let browser, server, visitor, page;

  before(async () => {
    browser = await launch();
  });
  after(() => browser?.close());

  beforeEach(async () => {
    server = await serve("apps/notes");
    visitor = await visit(browser, { javaScriptEnabled: false });
    page = visitor.page;
  });
  afterEach(async () => {
    await server.stop();
    await visitor.leave();
  });

  const go = (path) => page.goto(server.base + path);
  // A fragment outlives a redirect: it is part of no request.
  const path = () => page.url().slice(server.base.length).split("#")[0];
  const titles = () => page.locator("tbody th").allInnerTexts();

  async function write(title, content) {
    await page.getByLabel("Title").fill(title);
    await page.getByLabel("Content").fill(content);
  }

  it("creates a note, and says so once", async () => {
    await go("/");
    await page.getByRole("main").getByRole("link", { name: "Notes" }).first().click();
    await page.getByRole("link", { name: "New Note" }).first().click();
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "New Note");
    await write("Milk & <b>bread</b>", "Two litres\nOne loaf");
    await page.getByLabel("Pin this note").check();
    await page.getByRole("button", { name: "Create" }).click();
    assert.equal(path(), "/notes/1");
    assert.equal(await page.getByRole("status").innerText(), "Note created successfully.");
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "Milk & <b>bread</b>");
    const content = page.locator("dd").filter({ hasText: "Two litres" });
    assert.equal(await content.innerText(), "Two litres\nOne loaf");
    await page.reload();
    assert.equal(await page.getByRole("status").innerText(), "");
  });

  it("edits a note and unpins it", async () => {
    await server.create("notes", { title: "Milk", content: "Two litres", is_pinned: true });
    await go("/notes/1");
    await page.getByRole("link", { name: "Edit" }).click();
    assert.equal(await page.getByLabel("Title").inputValue(), "Milk");
    assert.equal(await page.getByLabel("Content").inputValue(), "Two litres");
    assert.equal(await page.getByLabel("Pin this note").isChecked(), true);
    await write("Oat milk", "Three litres");
    await page.getByLabel("Pin this note").uncheck();
    await page.getByRole("button", { name: "Save" }).click();
    assert.equal(path(), "/notes/1");
    assert.equal(await page.getByRole("status").innerText(), "Note updated.");
    const stored = await (await fetch(`${server.base}/api/notes/1`)).json();
    assert.deepEqual([stored.title, stored.content, stored.is_pinned], ["Oat milk", "Three litres", false]);
  });

  it("shows faults beside the fields and keeps what was typed", async () => {
    await go("/notes/new");
    await write("t".repeat(201), "kept <b>");
    await page.getByLabel("Pin this note").check();
    await page.getByRole("button", { name: "Create" }).click();
    const title = page.getByLabel("Title");
    assert.equal(await title.inputValue(), "t".repeat(201));
    assert.equal(await title.getAttribute("aria-invalid"), "true");
    const described = await title.getAttribute("aria-describedby");
    assert.match(await page.locator(`#${described}`).innerText(), /^Title must .*200/);
    assert.equal(await page.getByLabel("Content").inputValue(), "kept <b>");
    assert.equal(await page.getByLabel("Pin this note").isChecked(), true);
    assert.match(await page.title(), /^Error: /);
    assert.equal(await server.count("notes"), 0);

    await page.getByRole("alert").getByRole("link").click();
    assert.equal(await page.locator(":target").getAttribute("name"), "title");
    await title.fill("short");
    await page.getByRole("button", { name: "Create" }).click();
    assert.equal(path(), "/notes/1");
    assert.equal(await page.getByRole("status").innerText(), "Note created successfully.");
  });

  it("counts characters as the declaration does", async () => {
    await go("/notes/new");
    await write("😀".repeat(200), "x");
    await page.getByRole("button", { name: "Create" }).click();
    assert.equal(path(), "/notes/1");
  });

  it("leads through the pages of a list", async () => {
    for (let number = 1; number <= 25; number += 1) {
      await server.create("notes", { title: `Note ${number}`, content: "x", is_pinned: number === 3 });
    }
    await go("/notes");
    const first = await titles();
    assert.deepEqual([first.length, first[0], first[1]], [10, "Note 3", "Note 25"]);
    const pages = page.getByRole("navigation", { name: "Pages" });
    assert.equal(await pages.getByRole("link", { name: "Previous" }).count(), 0);
    await pages.getByRole("link", { name: "Next" }).click();
    assert.equal((await titles())[0], "Note 16");
    await pages.getByRole("link", { name: "Page 3" }).click();
    assert.equal((await titles()).length, 5);
    assert.equal(await pages.getByRole("link", { name: "Next" }).count(), 0);
    assert.equal(await pages.locator("[aria-current=page]").textContent(), "Page 3");
    await pages.getByRole("link", { name: "Previous" }).click();
    assert.equal(await pages.locator("[aria-current=page]").textContent(), "Page 2");
  });

  it("finds notes, and keeps what was looked for from page to page", async () => {
    for (let number = 1; number <= 12; number += 1) {
      await server.create("notes", { title: `Éclair ${number}`, content: "100% butter" });
      await server.create("notes", { title: `Bread ${number}`, content: "flour" });
    }
    await go("/notes");
    await page.getByRole("searchbox", { name: "Search" }).fill("éCLAIR");
    await page.getByRole("search").getByRole("button").click();
    assert.equal((await titles()).every((title) => title.startsWith("Éclair")), true);
    assert.match(await page.getByRole("main").innerText(), /of 12/);
    await page.getByRole("link", { name: "Next" }).click();
    assert.equal((await titles()).length, 2);
    assert.equal(await page.getByRole("searchbox").inputValue(), "éCLAIR");
    await page.getByRole("searchbox").fill("0%_");
    await page.getByRole("search").getByRole("button").click();
    assert.match(await page.getByRole("main").innerText(), /Nothing matches “0%_”/);
    await page.getByRole("link", { name: "Show all" }).click();
    assert.equal(path(), "/notes");
    assert.equal((await titles()).length, 10);
  });

  it("sorts by a column, both ways", async () => {
    for (const title of ["Banana", "Cherry", "Apple"]) {
      await server.create("notes", { title, content: "x" });
    }
    await go("/notes");
    const heading = page.getByRole("columnheader", { name: "Title" });
    await heading.getByRole("link").click();
    assert.deepEqual(await titles(), ["Apple", "Banana", "Cherry"]);
    assert.equal(await heading.getAttribute("aria-sort"), "ascending");
    await heading.getByRole("link").click();
    assert.deepEqual(await titles(), ["Cherry", "Banana", "Apple"]);
    assert.equal(await heading.getAttribute("aria-sort"), "descending");
  });

  it("deletes a note after a question", async () => {
    await server.create("notes", { title: "Milk", content: "x" });
    await go("/notes/1");
    await page.getByRole("link", { name: "Delete" }).click();
    assert.match(await page.getByRole("main").innerText(), /Milk/);
    await page.getByRole("link", { name: "Cancel" }).click();
    assert.equal(path(), "/notes/1");
    assert.equal(await server.count("notes"), 1);
    await page.getByRole("link", { name: "Delete" }).click();
    await page.getByRole("button", { name: "Delete" }).click();
    assert.equal(path(), "/notes");
    assert.equal(await page.getByRole("status").innerText(), "Note deleted.");
    assert.equal(await server.count("notes"), 0);
    assert.equal((await go("/notes/1")).status(), 404);
  });

  it("lets the slower of two tabs decide", async () => {
    await server.create("notes", { title: "Milk", content: "Two litres" });
    const other = await visitor.context.newPage();
    watch(other, visitor.complaints);
    await go("/notes/1/edit");
    await other.goto(`${server.base}/notes/1/edit`);
    await other.getByLabel("Content").fill("Three litres");
    await other.getByRole("button", { name: "Save" }).click();
    await page.getByLabel("Content").fill("Four litres");
    await page.getByRole("button", { name: "Save" }).click();
    const compared = page.getByRole("row").filter({ hasText: "Content" });
    assert.deepEqual(await compared.getByRole("cell").allInnerTexts(), ["Three litres", "Four litres"]);
    assert.equal(await page.getByLabel("Content").inputValue(), "Four litres");
    await page.getByRole("button", { name: "Save" }).click();
    assert.equal(path(), "/notes/1");
    const stored = await (await fetch(`${server.base}/api/notes/1`)).json();
    assert.equal(stored.content, "Four litres");
  });
});
