// Replaces the image of a genome by the SVG itself, so that motifs can be unfolded in the page.
"use strict";

const holder = document.getElementById("picture");
const trouble = document.getElementById("picture-trouble");
const NARROW = 640; // pixels, below which a picture has one column
const card = document.createElement("div");
card.className = "tip";
card.hidden = true;
card.setAttribute("aria-hidden", "true"); // a screen reader reads the same text as the name of the focused element

let turns = 0;

async function unfold(address, node) {
  const turn = ++turns;
  holder.setAttribute("aria-busy", "true");
  try {
    const asked = detailed(address);
    if (holder.clientWidth < NARROW) asked.searchParams.set("narrow", "yes");
    const answer = await fetch(asked, { credentials: "same-origin" });
    // the colours stand in a style sheet of the page; the security policy forbids a style element
    const text = (await answer.text()).replace(/<style>[^]*?<\/style>/, "");
    const drawn = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
    if (turn !== turns) return false;
    const is_picture = answer.ok && drawn.classList.contains("genome");
    trouble.textContent = is_picture ? "" : drawn.textContent.trim() || holder.dataset.lost;
    if (is_picture) put(drawn, address, node);
    return is_picture;
  } catch {
    trouble.textContent = holder.dataset.lost;
    return false;
  } finally {
    holder.removeAttribute("aria-busy");
  }
}

// the address of a picture with the details that a person asked for
function detailed(address) {
  const asked = new URL(address, location.href);
  for (const detail of (holder.dataset.show ?? "").split(" ").filter(Boolean)) asked.searchParams.append("show", detail);
  return asked;
}

function put(drawn, address, node) {
  for (const title of drawn.querySelectorAll("title")) name(title);
  for (const link of drawn.querySelectorAll("a")) link.dataset.leads = new URL(link.getAttribute("href"), new URL(address, location.href)).href;
  const at = [holder.scrollLeft, holder.scrollTop];
  holder.replaceChildren(document.importNode(drawn, true));
  holder.dataset.picture = address;
  holder.dispatchEvent(new Event("drawn"));
  holder.after(card); // below the picture, so that it covers no node
  [holder.scrollLeft, holder.scrollTop] = at;
  card.hidden = true;
  const all = nodes();
  for (const one of all) one.setAttribute("tabindex", "-1");
  const first = all.find((one) => one.dataset.node === node) ?? all[0];
  first?.setAttribute("tabindex", "0");
  if (node) first?.focus();
}

// The title of an element becomes its accessible name and the text of the card, in place of the browser's tooltip.
function name(title) {
  const owner = title.parentElement;
  const outer = owner.closest("a") ?? owner;
  outer.dataset.said = title.textContent;
  const said = title.textContent.replaceAll("\n", ", ");
  if (outer.localName === "a") outer.setAttribute("aria-description", said); // its name is the text in it
  else if (outer.dataset.node) outer.setAttribute("role", "img");
  if (outer.getAttribute("role") === "img") outer.setAttribute("aria-label", said);
  title.remove();
}

function nodes() {
  return [...holder.querySelectorAll("[data-node]")];
}

function tell(event) {
  const one = event.target.closest?.("[data-said]");
  if (!one || one.localName === "svg") return hide();
  const [first, ...rest] = one.dataset.said.split("\n");
  const head = document.createElement("strong");
  head.textContent = first;
  card.replaceChildren(head, ...rest.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
  card.hidden = false;
}

function hide() {
  card.hidden = true;
}

async function follow(event) {
  const link = event.target.closest("a[data-leads]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  const to = new URL(link.dataset.leads);
  if (!(await unfold(to.href, link.dataset.node))) return;
  keep({ open: to.searchParams.get("open") });
  await costs();
}

// The address of the page has its view: motifs that are unfolded, zoom, details.
function keep(view) {
  const here = new URL(location.href);
  for (const [name, value] of Object.entries(view)) {
    const wanted = [value].flat().filter(Boolean);
    if (here.searchParams.getAll(name).join() === wanted.join()) continue;
    here.searchParams.delete(name);
    for (const one of wanted) here.searchParams.append(name, one);
  }
  history.replaceState(null, "", here.href.replaceAll("%2C", ","));
}

async function costs() {
  const answer = await fetch(location.href.split("#")[0], { credentials: "same-origin" });
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("costs");
  const now = document.getElementById("costs");
  const open = now.querySelector("details")?.open;
  now.replaceChildren(...fresh.childNodes);
  if (open) now.querySelector("details").open = true;
}

function step(event) {
  if (event.key === "Escape") hide();
  const way = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  const all = nodes();
  const at = all.indexOf(document.activeElement);
  if (!way || at < 0) return;
  event.preventDefault();
  const next = all[Math.max(0, Math.min(all.length - 1, at + way))];
  all[at].setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

if (holder) {
  holder.addEventListener("click", follow);
  holder.addEventListener("keydown", step);
  holder.addEventListener("pointerover", tell);
  holder.addEventListener("pointerleave", hide);
  holder.addEventListener("focusin", tell);
  holder.addEventListener("focusout", hide);
  unfold(holder.dataset.picture);
}
