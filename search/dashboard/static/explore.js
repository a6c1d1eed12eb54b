// The picture of a genome: zoom, drag, fit, find a node, full screen, and the picture as a file.
"use strict";

const view = document.getElementById("picture");
const finder = document.getElementById("find");
const STEP = 1.25, LEAST = 0.1, MOST = 6, SHARP = 2; // of the zoom; pixels of the PNG for each of the picture
let zoom = Number(view?.dataset.scale ?? 1), found = [], at = -1;

const svg = () => view.querySelector("svg");

function natural() {
  const { width, height } = svg().viewBox.baseVal;
  return [width, height];
}

// (x, y): the point of the frame that stays where it is
function scale(to, x = view.clientWidth / 2, y = view.clientHeight / 2) {
  const next = Math.min(Math.max(to, LEAST), MOST), [width, height] = natural();
  const ratio = next / zoom, left = (view.scrollLeft + x) * ratio - x, top = (view.scrollTop + y) * ratio - y;
  zoom = next;
  svg().setAttribute("width", width * zoom);
  svg().setAttribute("height", height * zoom);
  view.classList.toggle("zoomed", zoom !== 1);
  [view.scrollLeft, view.scrollTop] = [left, top];
  view.dataset.zoomed = zoom.toFixed(3);
  keep({ zoom: zoom === 1 ? "" : String(Number(zoom.toFixed(3))) });
}

function fit() {
  const [width, height] = natural();
  const tall = document.fullscreenElement ? view.clientHeight : innerHeight * 0.8;
  scale(Math.min(view.clientWidth / width, tall / height));
}

function seek() {
  const wanted = finder.value.trim().toLowerCase();
  for (const one of view.querySelectorAll(".found")) one.classList.remove("found");
  const nodes = [...view.querySelectorAll("[data-node]")];
  found = wanted ? nodes.filter((one) => one.dataset.node.toLowerCase().includes(wanted) || one.textContent.toLowerCase().includes(wanted)) : [];
  for (const one of found) one.classList.add("found");
  at = -1;
  document.getElementById("finds").textContent = wanted ? `${found.length} found${found.length > 1 ? "; Enter for the next" : ""}` : "";
  next();
}

function next() {
  if (!found.length) return;
  at = (at + 1) % found.length;
  const box = found[at].getBoundingClientRect(), frame = view.getBoundingClientRect();
  view.scrollLeft += box.left - frame.left - (frame.width - box.width) / 2;
  view.scrollTop += box.top - frame.top - (frame.height - box.height) / 2;
  found[at].scrollIntoView({ block: "nearest", inline: "nearest" });
}

async function png(button) {
  const text = await (await fetch(detailed(view.dataset.picture), { credentials: "same-origin" })).text();
  const image = new Image(), [width, height] = natural();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(text)}`;
  await image.decode();
  const canvas = Object.assign(document.createElement("canvas"), { width: SHARP * width, height: SHARP * height });
  const drawn = canvas.getContext("2d");
  drawn.fillStyle = "#ffffff";
  drawn.fillRect(0, 0, canvas.width, canvas.height);
  drawn.drawImage(image, 0, 0, canvas.width, canvas.height);
  const file = await new Promise((done) => canvas.toBlob(done, "image/png"));
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file), download: button.dataset.name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

function drag(event) {
  if (event.button !== 0 || event.pointerType !== "mouse" || event.target.closest("a")) return;
  const from = [event.clientX + view.scrollLeft, event.clientY + view.scrollTop];
  const move = (moved) => { [view.scrollLeft, view.scrollTop] = [from[0] - moved.clientX, from[1] - moved.clientY]; };
  addEventListener("pointermove", move);
  addEventListener("pointerup", () => removeEventListener("pointermove", move), { once: true });
}

if (view) {
  const zooms = { in: () => scale(zoom * STEP), out: () => scale(zoom / STEP), fit, one: () => scale(1) };
  view.addEventListener("drawn", () => {
    document.getElementById("tools").hidden = false;
    document.getElementById("as-svg").href = detailed(view.dataset.picture);
    const before = zoom;
    zoom = 1;
    scale(before);
    seek();
  });
  for (const button of document.querySelectorAll("[data-zoom]")) button.addEventListener("click", zooms[button.dataset.zoom]);
  for (const box of document.querySelectorAll("#tools input[name=show]")) {
    box.addEventListener("change", () => {
      const show = [...document.querySelectorAll("#tools input[name=show]:checked")].map((one) => one.value);
      view.dataset.show = show.join(" ");
      keep({ show });
      unfold(view.dataset.picture);
    });
  }
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey || !svg()) return;
    event.preventDefault();
    const frame = view.getBoundingClientRect();
    scale(zoom * (event.deltaY < 0 ? STEP : 1 / STEP), event.clientX - frame.left, event.clientY - frame.top);
  }, { passive: false });
  view.addEventListener("pointerdown", drag);
  finder.addEventListener("input", seek);
  finder.addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });
  document.getElementById("whole").addEventListener("click", () => (document.fullscreenElement ? document.exitFullscreen() : document.getElementById("frame").requestFullscreen()));
  document.getElementById("as-png").addEventListener("click", (event) => png(event.currentTarget));
}
