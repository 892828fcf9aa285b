// A server of the binary under test, on a free port of loopback with a fresh database.

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const START_MS_MAX = 30_000;
const STOP_MS_MAX = 10_000;

function binary() {
  const named = process.env.CARAFE_BIN;
  if (named) return resolve(ROOT, named);
  const target = process.env.CARGO_TARGET_DIR ?? "target";
  const built = ["release", "debug"].map((profile) => resolve(ROOT, target, profile, "carafe"));
  const found = built.find(existsSync);
  if (!found) throw new Error(`no carafe at ${built.join(" or ")}; build it, or name one in CARAFE_BIN`);
  return found;
}

// What the server's settings could come from besides the options.
const SETTINGS = ["HOST", "PORT", "PUBLIC_URL", "DATABASE_URL", "SECRET_KEY", "CARAFE_ENV", "DURABILITY"];

export async function serve(folder) {
  const home = mkdtempSync(join(tmpdir(), "carafe-browser-"));
  const environment = { ...process.env };
  for (const name of SETTINGS) delete environment[name];
  const child = spawn(
    binary(),
    ["serve", resolve(ROOT, folder), "--host", "127.0.0.1", "--port", "0", "--database", `sqlite:${join(home, "data.db")}`],
    { stdio: ["ignore", "pipe", "pipe"], env: environment },
  );
  const exited = new Promise((done) => child.once("exit", done));
  const base = await address(child);
  return {
    base,
    async stop() {
      child.kill("SIGTERM");
      const late = setTimeout(() => child.kill("SIGKILL"), STOP_MS_MAX);
      await exited;
      clearTimeout(late);
      rmSync(home, { recursive: true, force: true });
    },
    // Stores a record by the API and returns it as stored.
    async create(resource, values) {
      const reply = await fetch(`${base}/api/${resource}`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(values),
      });
      if (reply.status !== 201) throw new Error(`${reply.status}: ${await reply.text()}`);
      return reply.json();
    },
    async count(resource) {
      const reply = await fetch(`${base}/api/${resource}`);
      return (await reply.json()).total;
    },
  };
}

// The address that the server prints when it is ready.
function address(child) {
  return new Promise((found, failed) => {
    let printed = "";
    const late = setTimeout(() => fail("did not start in time"), START_MS_MAX);
    const fail = (why) => {
      clearTimeout(late);
      child.kill("SIGKILL");
      failed(new Error(`the server ${why}:\n${printed}`));
    };
    const read = (chunk) => {
      printed += chunk;
      const line = printed.match(/^ +Pages +(http:\/\/\S+?)\/$/m);
      if (!line) return;
      clearTimeout(late);
      found(line[1]);
    };
    child.stdout.setEncoding("utf8").on("data", read);
    child.stderr.setEncoding("utf8").on("data", read);
    child.once("error", (error) => fail(error.message));
    child.once("exit", (code) => fail(`ended with ${code}`));
  });
}
