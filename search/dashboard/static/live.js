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
    if ("waits" in main.dataset && answer.status !== Number(main.dataset.waits)) location.reload();
    else if (answer.ok) show(new DOMParser().parseFromString(await answer.text(), "text/html"));
    lost.hidden = answer.ok || answer.status === Number(main.dataset.waits);
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

// The age of a sign of life grows while nothing newer comes; a part that is renewed brings the age of the newest sign.
const ages = new WeakMap();
function age() {
  for (const one of document.querySelectorAll("[data-age]")) {
    const known = ages.get(one);
    if (known?.given !== one.dataset.age) ages.set(one, { given: one.dataset.age, since: performance.now() });
    const seconds = Number(one.dataset.age) + (performance.now() - ages.get(one).since) / 1000;
    one.textContent = seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)}m ${String(Math.floor(seconds % 60)).padStart(2, "0")}s`;
  }
}
age();
setInterval(age, 1000);

// paper shows what is folded on the screen
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open]):not(.controls):not(.controls *)")];
  for (const one of folded) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of folded) one.open = false;
});

// htmx renews parts of a page, but neither in a hidden tab nor in a part that a person uses.
document.addEventListener("htmx:before:request", (event) => {
  const { sourceElement, sourceEvent } = event.detail.ctx;
  const polls = sourceEvent?.type === "every" || sourceEvent?.type === "renewed";
  const busy = marks(sourceElement) || sourceElement.querySelector("#take-away[open], #tagging :focus");
  if (polls && (document.hidden || busy)) event.preventDefault();
});
document.addEventListener("htmx:after:request", (event) => {
  const { response, sourceElement } = event.detail.ctx;
  if (response.status >= 400) return;
  lost.hidden = true;
  const answer = document.getElementById(sourceElement?.dataset.answer);
  if (answer?.classList.contains("trouble")) tell(answer, "");
});
document.addEventListener("htmx:response:error", (event) => {
  const { response, text, sourceElement } = event.detail.ctx;
  // a form whose value is wrong shows the sentence in the place of its former answer
  const answer = response.status === 400 && document.getElementById(sourceElement?.dataset.answer);
  if (answer) tell(answer, text);
  else complain(response.status < 500 ? text : gone);
});

function tell(place, text) {
  place.className = "trouble";
  place.textContent = text;
}
document.addEventListener("htmx:error", () => complain(gone));

// The picks for a comparison stand in the address of the page, so that they last over the pages of the table. `wanted`
// has the picks that the server has not answered yet: a person picks faster than it answers.
let wanted = null, answered = Promise.resolve();
document.addEventListener("change", (event) => {
  const box = event.target, form = box.form;
  if (form?.id !== "compare" || !window.htmx) return;
  const before = wanted ?? form.dataset.picked.split(",").filter(Boolean);
  const mine = [...before.filter((number) => number !== box.value), ...(box.checked ? [box.value] : [])];
  wanted = mine;
  const ask = () => {
    if (mine !== wanted) return undefined;
    const asked = new URLSearchParams(location.search);
    asked.set("pick", mine.join(","));
    const address = `${location.pathname}/part/table?${asked}`;
    return htmx.ajax("GET", address, { source: "#table", target: "#table", swap: "outerMorph" });
  };
  const end = () => { if (mine === wanted) wanted = null; };
  answered = answered.then(ask).then(end, end);
});
// what a person has unfolded stays unfolded when its part is renewed
let unfolded = [];
document.addEventListener("htmx:before:swap", (event) => {
  unfolded = [...(event.detail.ctx.target?.querySelectorAll?.("details[open][id]") ?? [])].map((one) => one.id);
});
document.addEventListener("htmx:after:swap", () => {
  for (const id of unfolded) document.getElementById(id)?.setAttribute("open", "");
});
document.addEventListener("htmx:after:swap", (event) => {
  if (event.detail.ctx.target?.id !== "table") return;
  for (const box of document.querySelectorAll("#table .pick input")) {
    box.checked = wanted ? wanted.includes(box.value) : box.hasAttribute("checked");
  }
});

function complain(said) {
  lost.textContent = said;
  lost.hidden = false;
}
