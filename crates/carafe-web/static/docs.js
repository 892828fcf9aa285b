// Sends the requests that are typed into the forms of the page, and shows what comes back.

for (const form of document.querySelectorAll("form.try")) {
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

// An operation that the address names is open.
const named = document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (named instanceof HTMLDetailsElement) {
  named.open = true;
  named.scrollIntoView();
}

async function send(form) {
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const started = performance.now();
    const { url, options } = request(form);
    const response = await fetch(url, options);
    const text = await response.text();
    const took = Math.round(performance.now() - started);
    const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`);
    show(form, [
      `${options.method} ${url}`,
      `${response.status} ${response.statusText}, ${took} ms`,
      headers.join("\n"),
      pretty(text),
    ]);
  } catch (error) {
    show(form, [String(error)]);
  } finally {
    button.disabled = false;
  }
}

// The request that a form describes.
function request(form) {
  let path = form.dataset.path;
  const query = new URLSearchParams();
  const headers = new Headers({ Accept: "application/json" });
  const options = { method: form.dataset.method, headers, cache: "no-store" };
  for (const input of form.querySelectorAll("[data-in]")) {
    const { name, value } = input;
    if (input.dataset.in === "path") path = path.replace(`{${name}}`, encodeURIComponent(value));
    if (value === "") continue;
    if (input.dataset.in === "query") query.append(name, value);
    if (input.dataset.in === "header") headers.set(name, value);
    if (input.dataset.in === "type") headers.set("Content-Type", value);
    if (input.dataset.in === "body") options.body = value;
    if (input.dataset.in === "more") {
      for (const [filter, wanted] of new URLSearchParams(value)) query.append(filter, wanted);
    }
  }
  const search = query.toString();
  return { url: search ? `${path}?${search}` : path, options };
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function show(form, parts) {
  const answer = form.querySelector(".answer");
  const blocks = parts.filter((part) => part !== "").map((part) => {
    const block = document.createElement("pre");
    block.textContent = part;
    return block;
  });
  answer.replaceChildren(...blocks);
}
