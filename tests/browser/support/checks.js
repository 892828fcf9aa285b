// What every page must pass: WCAG by axe-core, no sideways scrolling on a phone, valid HTML.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const require = createRequire(import.meta.url);
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const VNU = require.resolve("vnu-jar/build/dist/vnu.jar");

// Levels A and AA of WCAG 2.0, 2.1 and 2.2.
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];

// Faults of the page as it is shown now, one line each.
export async function accessibilityFaults(page) {
  // Evaluated by the debugger, so that the page's own policy (CSP) stays as it is.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(
    (rules) => globalThis.axe.run(document, { runOnly: rules, resultTypes: ["violations"] }),
    RULES,
  );
  return violations.flatMap(({ id, help, nodes }) =>
    nodes.map((node) => `${id}: ${help}: ${node.html}: ${node.failureSummary}`),
  );
}

// Pixels by which the page is wider than its window.
export function overhang(page) {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}

// Holds `pages`, a map of names to HTML as sent, against the Nu HTML checker.
export function assertValid(pages) {
  const folder = mkdtempSync(join(tmpdir(), "carafe-html-"));
  try {
    const files = [...pages].map(([name, html]) => {
      const file = join(folder, `${name.replace(/[^a-z0-9]+/gi, "-")}.html`);
      writeFileSync(file, html);
      return file;
    });
    const report = execFileSync("java", ["-Xss1m", "-jar", VNU, "--format", "json", "--exit-zero-always", "--stdout", ...files], {
      encoding: "utf8",
      maxBuffer: 1 << 26,
    });
    const { messages } = JSON.parse(report);
    const faults = messages
      .filter(({ type, subType }) => type !== "info" || subType === "warning")
      .map(({ url, lastLine, message, extract }) => `${url.split("/").pop()}:${lastLine}: ${message}: ${extract}`);
    assert.deepEqual(faults, []);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
