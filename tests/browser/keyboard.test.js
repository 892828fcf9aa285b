// The notes application by keyboard alone.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { launch, visit } from "./support/browser.js";
import { serve } from "./support/server.js";

const TABS_MAX = 100;

// Everything that a person can act on, in the order of the page.
const REACHABLE = "a[href], button, input:not([type=hidden]), select, textarea, [tabindex='0']";

describe("keyboard", () => {
  let browser, server;

  before(async () => {
    browser = await launch();
    server = await serve("apps/notes");
    for (let number = 1; number <= 12; number += 1) {
      await server.create("notes", { title: `Note ${number}`, content: "x" });
    }
  });
  after(async () => {
    await browser?.close();
    await server?.stop();
  });

  it("reaches everything in the order of the page, and one sees where one is", async () => {
    const { page, leave } = await visit(browser);
    for (const path of ["/", "/notes", "/notes/new", "/notes/1", "/notes/1/edit", "/notes/1/delete", "/nothing"]) {
      await page.goto(server.base + path);
      const expected = await page.locator(REACHABLE).count();
      for (let place = 0; place < expected; place += 1) {
        await page.keyboard.press("Tab");
        const seen = await page.evaluate((selector) => {
          const active = document.activeElement;
          const box = active.getBoundingClientRect();
          const style = getComputedStyle(active);
          return {
            place: [...document.querySelectorAll(selector)].indexOf(active),
            html: active.outerHTML.slice(0, 80),
            outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
            inView: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
          };
        }, REACHABLE);
        assert.deepEqual(
          [seen.place, seen.outlined, seen.inView],
          [place, true, true],
          `${path}: Tab ${place + 1} came to ${seen.html}`,
        );
      }
    }
    await leave();
  });

  it("skips to the content", async () => {
    const { page, leave } = await visit(browser);
    await page.goto(`${server.base}/notes`);
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").innerText(), "Skip to content");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Tab");
    assert.equal(await page.locator(":focus").innerText(), "New Note");
    await leave();
  });

  it("writes and deletes a note", async () => {
    const { page, leave } = await visit(browser);
    const tabTo = async (name) => {
      for (let tabs = 0; tabs < TABS_MAX; tabs += 1) {
        await page.keyboard.press("Tab");
        const focused = await page.evaluate(() => {
          const active = document.activeElement;
          return (active.labels?.[0] ?? active).innerText;
        });
        if (focused.startsWith(name)) return;
      }
      assert.fail(`${name} is not reached at ${page.url()}`);
    };
    const press = async (key) => {
      const loaded = page.waitForEvent("load");
      await page.keyboard.press(key);
      await loaded;
    };
    await page.goto(`${server.base}/notes`);
    await tabTo("New Note");
    await press("Enter");
    await tabTo("Title");
    await page.keyboard.type("By keyboard");
    await tabTo("Content");
    await page.keyboard.type("no mouse");
    await tabTo("Pin this note");
    await page.keyboard.press("Space");
    await tabTo("Create");
    await press("Enter");
    assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), "By keyboard");
    const { notes } = await (await fetch(`${server.base}/api/notes`)).json();
    assert.deepEqual([notes[0].title, notes[0].is_pinned], ["By keyboard", true]);
    await tabTo("Delete");
    await press("Enter");
    await tabTo("Delete");
    await press("Enter");
    assert.equal(await page.getByRole("status").innerText(), "Note deleted.");
    await leave();
  });
});
