// Fetches the open page again every few seconds and replaces the parts that have changed.
"use strict";

const main = document.querySelector("main");
const lost = document.getElementById("lost");
const gone = lost.textContent;
let every = 1000 * Number(main.dataset.every || 0);

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href.split("#")[0], { credentials: "same-origin" });
    if ("waits" in main.dataset && answer.status !== 202) location.reload();
    else if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    lost.hidden = answer.ok;
  } catch {
    lost.hidden = false;
  }
}

function show(fresh) {
  every = 1000 * Number(fresh.querySelector("main").dataset.every || 0) || every;
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(now.id);
    // a part that a person uses stays as it is: a link with the focus, a text that is being selected
    const busy = now.contains(document.activeElement) || marks(now);
    if (next && !busy && next.innerHTML !== now.innerHTML) replace(now, next);
  }
}

function marks(section) {
  const marked = getSelection();
  return marked && !marked.isCollapsed && section.contains(marked.anchorNode);
}

function replace(now, next) {
  const open = [...now.querySelectorAll("details")].map((one) => one.open);
  const picked = [...now.querySelectorAll("input:checked")].map((one) => one.value);
  const across = [...now.querySelectorAll(".wide")].map((one) => one.scrollLeft);
  now.replaceChildren(...next.childNodes);
  now.querySelectorAll("details").forEach((one, i) => { one.open = open[i] ?? false; });
  now.querySelectorAll("input[type=checkbox]").forEach((one) => { one.checked = picked.includes(one.value); });
  now.querySelectorAll(".wide").forEach((one, i) => { one.scrollLeft = across[i] ?? 0; });
}

async function again() {
  await look();
  setTimeout(again, every);
}

for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
    button.textContent = "Copied";
  });
}

if (every) setTimeout(again, every);

// htmx renews parts of a page, but neither in a hidden tab nor in a part that a person uses.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement, sourceEvent } = event.detail.ctx;
  const polls = sourceEvent?.type === "every" || sourceEvent?.type === "renewed";
  const busy = marks(sourceElement) || sourceElement.querySelector(":checked:not(option)");
  if (polls && (document.hidden || busy)) event.preventDefault();
});
document.addEventListener("htmx:after:request", (event) => {
  if (event.detail.ctx.response.status < 400) lost.hidden = true;
});
document.addEventListener("htmx:response:error", (event) => {
  const { response, text } = event.detail.ctx;
  complain(response.status < 500 ? text : gone);
});
document.addEventListener("htmx:error", () => complain(gone));

function complain(said) {
  lost.textContent = said;
  lost.hidden = false;
}
