// Every page: WCAG 2.2 AA in light and dark, no sideways scrolling on a phone, valid HTML, a
// silent console. CARAFE_SCREENSHOTS names a folder for pictures of them.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { launch, visit } from "./support/browser.js";
import { accessibilityFaults, assertValid, overhang } from "./support/checks.js";
import { serve } from "./support/server.js";

const PICTURES = process.env.CARAFE_SCREENSHOTS;
const DESKTOP = { width: 1200, height: 800 };
const PHONE = { width: 360, height: 740 };

const LONG_WORD = "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft";

const WRITING = [
  ["Shopping", "Milk, two litres\nBread\nSomething sweet for Sunday"],
  ["Call the plumber", "The tap in the kitchen drips again."],
  ["Ideas for the garden", "Tomatoes by the south wall, mint in a pot, and a bench under the apple tree."],
  [LONG_WORD, LONG_WORD.repeat(3)],
  ["Übung macht den Meister – 練習は完璧を作る", "äöü ß 漢字 עברית 😀"],
];

const THING = {
  name: "Blue vase",
  story: "Made in Delft.\n\nBought at an auction in 1998.",
  pieces: 1,
  weight: 1.25,
  price: "1499.90",
  is_fragile: true,
  is_sold: false,
  made_on: "1931-05-17",
  seen_at: "2026-01-02T03:04:05Z",
  contact: "ann@example.org",
  website: `https://example.org/${"vase/".repeat(30)}`,
  serial: "01939f3e-0b7a-7c3e-9d1b-2f6d4c5e8a10",
  condition: "used",
  shelf: 1,
  secret: "hush hush hush",
  extra: { glaze: ["cobalt", "tin"], height_cm: 31 },
};

// Goes to a path and expects a status.
const at = (path, status = 200) => async (page, server) => {
  const response = await page.goto(server.base + path);
  assert.equal(response.status(), status);
  return response.text();
};

// Fills the form at a path, sends it, and expects a status; selects take their value.
const sent = (path, values, status) => async (page, server, meanwhile) => {
  await page.goto(server.base + path);
  for (const [name, value] of Object.entries(values)) await page.locator(`[name=${name}]`).last().fill(value);
  await meanwhile?.(server);
  const answered = page.waitForResponse((response) => response.request().method() === "POST");
  await page.locator("form[method=post] button").click();
  const response = await answered;
  assert.equal(response.status(), status);
  await page.waitForLoadState("load");
  return response.text();
};

const filled = (open) => ({ database: "filled", open });
const empty = (open) => ({ database: "empty", open });

const someoneElse = (server) =>
  fetch(`${server.base}/api/notes/1`, {
    method: "PATCH",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ content: `Changed by somebody else ${Math.random()}` }),
  });

const conflicting = sent("/notes/1/edit", { title: "Shopping list", content: "Mine" }, 409);

const NOTES = {
  home: filled(at("/")),
  "home empty": empty(at("/")),
  list: filled(at("/notes")),
  "list page 2": filled(at("/notes?page=2&sort=title")),
  "list searched": filled(at("/notes?q=a&sort=-title")),
  "list nothing found": filled(at("/notes?q=zzzz")),
  "list past the end": filled(at("/notes?page=99")),
  "list empty": empty(at("/notes")),
  detail: filled(at("/notes/1")),
  "detail of long words": filled(at("/notes/4")),
  new: filled(at("/notes/new")),
  "new refused": filled(sent("/notes/new", { title: "", content: "" }, 400)),
  edit: filled(at("/notes/1/edit")),
  "edit of long words": filled(at("/notes/4/edit")),
  conflict: filled((page, server) => conflicting(page, server, someoneElse)),
  delete: filled(at("/notes/1/delete")),
  "not found": filled(at("/notes/999", 404)),
  nowhere: filled(at("/nothing/here", 404)),
  "bad form": filled(async (page, server) => {
    await page.goto(`${server.base}/notes/1/delete`);
    await page.context().clearCookies();
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.locator("form[method=post] button").click();
    const response = await answered;
    assert.equal(response.status(), 400);
    await page.waitForLoadState("load");
    return response.text();
  }),
  "created message": filled(async (page, server) => {
    await page.goto(`${server.base}/notes/new`);
    await page.locator("[name=title]").fill("Message");
    await page.locator("[name=content]").fill("x");
    const answered = page.waitForResponse((response) => response.request().redirectedFrom() !== null);
    await page.locator("form[method=post] button").click();
    const html = await (await answered).text();
    await page.waitForLoadState("load");
    assert.match(html, /Note created successfully/);
    await fetch(`${server.base}/api${new URL(page.url()).pathname}`, { method: "DELETE" });
    return html;
  }),
  problem: filled(at("/problems/validation")),
  docs: filled(at("/docs")),
  "docs opened": filled(async (page, server) => {
    const html = await at("/docs")(page, server);
    await page.evaluate(() => document.querySelectorAll("details").forEach((part) => (part.open = true)));
    return html;
  }),
};

const EVERYTHING = {
  "everything home": filled(at("/")),
  "everything list": filled(at("/things")),
  "everything docs": filled(at("/docs")),
  "everything detail": filled(at("/things/1")),
  "everything detail bare": filled(at("/things/2")),
  "everything new": filled(at("/things/new")),
  "everything refused": filled(
    sent("/things/new", { name: "", price: "1", contact: "nobody", website: "nowhere", serial: "x", extra: "{" }, 400),
  ),
  "everything edit": filled(at("/things/1/edit")),
  "everything delete": filled(at("/things/1/delete")),
  "everything under a record": filled(at("/things/1/repairs")),
  "everything under a record empty": filled(at("/things/2/repairs")),
  "everything under a record detail": filled(at("/things/1/repairs/1")),
  "everything under a record new": filled(at("/things/1/repairs/new")),
  "everything under a record edit": filled(at("/things/1/repairs/1/edit")),
  "everything named key": filled(at("/tags/new")),
  "everything named": filled(at("/tags/a%2Fb%20%3F%22")),
};

const DELETED = {
  "everything deleted": filled(at("/things?deleted=only")),
  "everything deleted none": filled(at("/shelves?deleted=only")),
  "everything restore": filled(at("/things/3/restore")),
};
Object.assign(EVERYTHING, DELETED);

// A press of the button of a form, to a page with a sentence on it.
const pressed = (path, values, sentence) => async (page, server) => {
  await page.goto(server.base + path);
  for (const [name, value] of Object.entries(values)) await page.locator(`[name=${name}]`).last().fill(value);
  const answered = page.waitForResponse((response) => response.request().redirectedFrom() !== null);
  await page.locator("form[method=post] button").click();
  const html = await (await answered).text();
  await page.waitForLoadState("load");
  assert.match(html, sentence);
  return html;
};

const anybody = (server) =>
  fetch(`${server.base}/stock/fruit/apple`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: String(Math.floor(Math.random() * 1e6)),
  });

const STOCK = {
  "stock home": filled(at("/")),
  "stock list": filled(at("/stock")),
  "stock document": filled(at("/stock/fruit")),
  "stock empty document": filled(at("/stock/nothing")),
  "stock form": filled(at("/add-collection")),
  "stock form refused": filled(sent("/add-collection", { collection: "fruit", member: "a", qty: "1" }, 400)),
  "stock form created": filled((page, server) => {
    const collection = `c${Math.random()}`;
    return pressed("/add-collection", { collection, member: "a", qty: "1" }, /Collection created/)(page, server);
  }),
  "stock edit": filled(at("/stock/fruit/edit")),
  "stock edited": filled(pressed("/stock/fruit/edit", { member: "date", qty: "7" }, /Collection updated/)),
  "stock edit refused": filled(async (page, server) => {
    const html = await sent("/stock/long/edit", { member: "kiwi" }, 400)(page, server);
    assert.match(html, /Qty is required/);
    return html;
  }),
  "stock conflict": filled(async (page, server) => {
    await page.goto(`${server.base}/stock/fruit/edit`);
    await anybody(server);
    const answered = page.waitForResponse((response) => response.request().method() === "POST");
    await page.locator("form[method=post] button").click();
    const response = await answered;
    assert.equal(response.status(), 409);
    await page.waitForLoadState("load");
    return response.text();
  }),
  "stock delete": filled(at("/stock/fruit/delete")),
  "stock log-in": filled(at("/log-in")),
  "stock log-in sent": filled(sent("/log-in", { username: "Ann", password: "hush hush hush" }, 200)),
  "stock nowhere": filled(at("/nothing", 404)),
};

async function fillStock(server) {
  for (const [name, members] of Object.entries({ nothing: {}, long: { [LONG_WORD]: 1, "<b>": 2 } })) {
    const reply = await fetch(`${server.base}/stock/${name}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(members),
    });
    assert.equal(reply.status, 201);
  }
}

async function fillNotes(server) {
  for (const [title, content] of WRITING) await server.create("notes", { title, content });
  for (let number = 6; number <= 25; number += 1) {
    await server.create("notes", { title: `Note ${number}`, content: `Number ${number}`, is_pinned: number === 8 });
  }
}

async function fillEverything(server) {
  await server.create("shelves", { name: "By the window" });
  await server.create("things", THING);
  await server.create("things", { name: LONG_WORD, condition: "new" });
  const gone = await server.create("things", { name: "Broken", condition: "worn" });
  assert.equal((await fetch(`${server.base}/api/things/${gone.id}`, { method: "DELETE" })).status, 204);
  await server.create("things/1/repairs", { work: "Glued the handle", cost: "20" });
  const reply = await fetch(`${server.base}/api/tags/${encodeURIComponent('a/b ?"')}`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ colour: "red" }),
  });
  assert.equal(reply.status, 201);
}

async function picture(page, name) {
  if (!PICTURES) return;
  mkdirSync(PICTURES, { recursive: true });
  await page.screenshot({ path: join(PICTURES, `${name.replaceAll(" ", "-")}.png`), fullPage: true });
}

// Looks at every page in one browser setting.
function checkEach(pages, setting, check) {
  for (const [name, { database, open }] of Object.entries(pages)) {
    it(`${name}, ${setting.name}`, async () => {
      const { page, leave } = await visit(setting.browser(), setting.options);
      const html = await open(page, setting.servers()[database]);
      await check(name, page, html);
      await picture(page, `${name}-${setting.name}`);
      await leave();
    });
  }
}

function suite(title, folder, pages, fill) {
  describe(title, () => {
    let browser;
    const servers = {};
    const fetched = new Map();

    before(async () => {
      browser = await launch();
      servers.filled = await serve(folder);
      servers.empty = await serve(folder);
      await fill(servers.filled);
    });
    after(async () => {
      await browser?.close();
      for (const server of Object.values(servers)) await server.stop();
    });

    const setting = (name, options) => ({ name, options, browser: () => browser, servers: () => servers });
    const hasNoFaults = async (name, page) => assert.deepEqual(await accessibilityFaults(page), []);
    const fits = async (name, page, html) => {
      fetched.set(name, html);
      assert.equal(await overhang(page), 0);
      assert.deepEqual(await accessibilityFaults(page), []);
    };
    checkEach(pages, setting("light", { viewport: DESKTOP, colorScheme: "light" }), hasNoFaults);
    checkEach(pages, setting("dark", { viewport: DESKTOP, colorScheme: "dark" }), hasNoFaults);
    checkEach(pages, setting("phone", { viewport: PHONE, colorScheme: "light", hasTouch: true, isMobile: true }), fits);

    it("is valid HTML throughout", () => {
      assert.equal(fetched.size, Object.keys(pages).length);
      assertValid(fetched);
    });
  });
}

suite("pages of notes", "apps/notes", NOTES, fillNotes);
suite("pages of every field type", "tests/browser/fixtures/everything", EVERYTHING, fillEverything);
suite("pages of documents", "apps/stock", STOCK, fillStock);
