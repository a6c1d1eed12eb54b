// Draws the figures of a page with Plotly, each from the values at its address.
"use strict";

const card = document.getElementById("card");
const noHover = matchMedia("(hover: none)");
const SHOW_AFTER = 120, HIDE_AFTER = 250; // milliseconds
let soon = 0;

const colour = (role) => getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();

async function draw(figure) {
  const canvas = figure.querySelector(".canvas");
  const answer = await fetch(figure.dataset.plot, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return;
  const plot = await answer.json();
  const note = figure.querySelector(".note");
  note.textContent = plot ? plot.note : "There is nothing to draw yet.";
  canvas.hidden = !plot;
  if (!plot) return;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${plot.title}: ${plot.note}`);
  figure.plot = plot;
  await paint(figure);
}

async function paint(figure) {
  const canvas = figure.querySelector(".canvas"), plot = figure.plot;
  if (!plot) return;
  const options = { displayModeBar: false, responsive: true, showTips: false };
  await Plotly.react(canvas, traces(plot), layout(plot, figure.dataset.plot), options);
  if (canvas.dataset.ready) return;
  canvas.dataset.ready = "yes";
  canvas.on("plotly_hover", ({ points, event }) => {
    const at = points.find((point) => point.customdata !== undefined);
    if (at) appear(figure.plot, at, event);
  });
  canvas.on("plotly_unhover", () => vanish(HIDE_AFTER));
  canvas.on("plotly_click", ({ points }) => {
    const at = points.find((point) => point.customdata !== undefined);
    // on a touch screen, a tap shows the card, which has the link
    if (at && !noHover.matches) location.assign(`${figure.plot.href}/trial/${at.customdata}`);
  });
}

function traces(plot) {
  const made = plot.series.map((one) => ({
    type: "scatter",
    name: one.name,
    x: one.x,
    y: one.y,
    customdata: one.trials.length ? one.trials : undefined,
    mode: one.kind === "points" ? "markers" : one.x.length > 1 && !one.trials.length ? "lines" : "lines+markers",
    line: { color: colour(one.role), width: 2, dash: one.dash, shape: one.kind === "steps" ? "hv" : "linear" },
    marker: {
      symbol: one.symbol, color: colour(one.role), size: one.symbol === "diamond" ? 9 : 7,
      opacity: one.kind === "points" ? 0.7 : 1, line: { width: 1, color: colour(one.role) },
    },
    hoverinfo: one.trials.length ? "none" : "x+y",
  }));
  if (plot.level) {
    const x = plot.series[0].x;
    const [name, y] = plot.level;
    const line = { color: colour("bad"), width: 2, dash: "dash" };
    made.push({ type: "scatter", name, x: [x[0], x.at(-1)], y: [y, y], mode: "lines", line, hoverinfo: "y" });
  }
  return made;
}

function layout(plot, address) {
  const axis = (scale) => ({
    title: { text: scale.name, standoff: 6 },
    type: { log: "log", date: "date", number: "linear" }[scale.kind],
    gridcolor: colour("line"), zerolinecolor: colour("line"), linecolor: colour("line"),
    automargin: true, ...(scale.kind === "log" ? { tickformat: "~s", dtick: decades(plot) > 3 ? 1 : "D2" } : {}),
  });
  return {
    xaxis: axis(plot.x),
    yaxis: { ...axis(plot.y), ...(plot.level ? { rangemode: "tozero" } : around(plot)) },
    font: { family: "inherit", color: colour("muted"), size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 28, b: 40 },
    showlegend: plot.series.length > 1 || Boolean(plot.level),
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    hoverlabel: { bgcolor: colour("page"), bordercolor: colour("line"), font: { color: colour("text") } },
    dragmode: noHover.matches ? false : "zoom",
    hovermode: "closest",
    uirevision: address, // the zoom is kept until another plot is asked for
  };
}

// a single value has no range: the axis shows a little to each side of it
function around(plot) {
  const ys = plot.series.flatMap((one) => one.y), low = Math.min(...ys), high = Math.max(...ys);
  const room = 0.02 * Math.abs(low) || 1;
  return low === high ? { range: [low - room, high + room] } : {};
}

function decades(plot) {
  const xs = plot.series.flatMap((one) => one.x);
  return Math.log10(Math.max(...xs) / Math.min(...xs));
}

function appear(plot, at, event) {
  clearTimeout(soon);
  soon = setTimeout(() => {
    const number = at.customdata, href = `${plot.href}/trial/${number}`;
    const picture = Object.assign(new Image(), { src: `${href}/picture.svg`, alt: "" });
    const link = Object.assign(document.createElement("a"), { href, textContent: `trial ${number}` });
    const said = (name, value) => `${name} ${value.toLocaleString("en", { maximumFractionDigits: 4 })}`;
    const text = document.createElement("p");
    text.append(link, `, ${at.data.name}: ${said(plot.y.name, at.y)}, ${said(plot.x.name, at.x)}`);
    card.replaceChildren(picture, text);
    card.hidden = false;
    place(event.clientX, event.clientY);
    picture.onload = () => place(event.clientX, event.clientY);
  }, SHOW_AFTER);
}

function place(x, y) {
  const left = x + 16 + card.offsetWidth < innerWidth ? x + 16 : Math.max(4, x - 16 - card.offsetWidth);
  card.style.left = `${Math.min(left, Math.max(4, innerWidth - card.offsetWidth - 4))}px`;
  card.style.top = `${Math.max(4, Math.min(y + 12, innerHeight - card.offsetHeight - 4))}px`;
}

function vanish(after) {
  clearTimeout(soon);
  soon = setTimeout(() => { card.hidden = true; }, noHover.matches ? 4000 : after);
}

const figures = () => [...document.querySelectorAll("[data-plot]")];
const drawAll = () => figures().forEach(draw);

card.addEventListener("pointerenter", () => clearTimeout(soon));
card.addEventListener("pointerleave", () => vanish(HIDE_AFTER));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") card.hidden = true; });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => figures().forEach(paint));
document.addEventListener("htmx:after:swap", (event) => {
  const { target, response } = event.detail.ctx, id = target?.id;
  if (response?.status !== 200) return; // nothing has changed
  if (id === "summary") {
    drawAll();
    htmx.trigger(document.body, "renewed");
  }
  if (id === "against") draw(document.getElementById("plot-against"));
});
drawAll();
