// Chromium as installed by the system.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const WAIT_MS_MAX = 10_000;

export function launch() {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ARGUMENTS,
  });
}

// A visitor: a fresh profile with one page, and what the browser complained about.
export async function visit(browser, options = {}) {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(WAIT_MS_MAX);
  const page = await context.newPage();
  const complaints = [];
  watch(page, complaints);
  return {
    context,
    page,
    complaints,
    async leave() {
      await context.close();
      assert.deepEqual(complaints, []);
    },
  };
}

// Notes dialogs, errors of scripts, refused content (CSP) and all else that the console shows.
export function watch(page, complaints) {
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    dialog.dismiss().catch(() => {});
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("console", (message) => {
    // Chromium reports a page's own status when it is an error, which the tests ask for.
    const isOwnStatus =
      message.text().startsWith("Failed to load resource") && message.location().url === page.url();
    // Verbose is advice, such as that a password should come with a user name.
    const isAdvice = message.type() === "verbose";
    if (!isOwnStatus && !isAdvice) complaints.push(`${message.type()}: ${message.text()}`);
  });
}
