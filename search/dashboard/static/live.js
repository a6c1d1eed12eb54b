// Looks again at the open page every few seconds and puts what has changed in its place.
"use strict";

const main = document.querySelector("main");
const lost = document.getElementById("lost");
const every = 1000 * Number(main.dataset.every || 0);

async function look() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href.split("#")[0], { credentials: "same-origin" });
    if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    lost.hidden = answer.ok;
  } catch {
    lost.hidden = false;
  }
}

function show(fresh) {
  for (const now of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(now.id);
    // where a person is at work nothing moves: a link that has the focus, a text that is being marked
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
