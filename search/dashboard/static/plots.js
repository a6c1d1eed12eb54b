// Draws the figures of a page with Plotly, each from the values at its address.
"use strict";

const card = document.getElementById("card");
const noHover = matchMedia("(hover: none)");
const PAPER = 680; // pixels
const SHOW_AFTER = 120, HIDE_AFTER = 250; // milliseconds
let soon = 0;

const colour = (role) => getComputedStyle(document.documentElement).getPropertyValue(`--${role}`).trim();

async function draw(figure) {
  const canvas = figure.querySelector(".canvas");
  const picked = ["plot-against", "plot-curves"].includes(figure.id) ? new URLSearchParams(location.search).get("pick") : null;
  const address = figure.dataset.plot + (picked ? `&pick=${encodeURIComponent(picked)}` : "");
  const answer = await fetch(address, { credentials: "same-origin" }).catch(() => null);
  if (!answer?.ok) return;
  const plot = await answer.json();
  const note = figure.querySelector(".note");
  note.textContent = plot ? plot.note : "There is nothing to draw yet.";
  canvas.hidden = !plot?.series.length;
  if (canvas.hidden) return;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${plot.title}: ${plot.note}`);
  figure.plot = plot;
  await paint(figure);
}

// Plotly is large: it is fetched and run when the page has been painted, so that nobody waits for charts to read its tables.
const { plotly } = document.currentScript.dataset;
const plotlyThere = new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => {
  const script = Object.assign(document.createElement("script"), { src: plotly, onload: resolve });
  document.head.append(script);
})));

async function paint(figure) {
  const canvas = figure.querySelector(".canvas"), plot = figure.plot;
  if (!plot) return;
  await plotlyThere;
  const options = { displayModeBar: false, responsive: true, showTips: false };
  await Plotly.react(canvas, traces(plot), layout(plot, figure.dataset.plot), options);
  if (plot.series.some(isCrowd)) drawBehind(canvas);
  if (canvas.dataset.ready) return;
  canvas.dataset.ready = "yes";
  canvas.on("plotly_hover", ({ points, event }) => {
    const at = points.find((point) => point.customdata !== undefined);
    if (at) appear(figure.plot, at, canvas, event);
  });
  canvas.on("plotly_unhover", () => vanish(HIDE_AFTER));
  canvas.on("plotly_click", ({ points }) => {
    const at = points.find((point) => point.customdata !== undefined);
    // on a touch screen, a tap shows the card, which has the link
    if (at && !noHover.matches) location.assign(`${figure.plot.href}/trial/${at.customdata[0]}`);
  });
}

function traces(plot) {
  const made = plot.series.flatMap((one, i) => {
    const drawn = trace(plot, one);
    return [...band(plot, one), ...(isCrowd(one) ? parted(drawn, `s${i}`) : [drawn])];
  });
  if (plot.level) {
    const x = plot.series[0].x;
    const [name, y] = plot.level;
    const line = { color: colour("bad"), width: 2, dash: "dash" };
    made.push({ type: "scatter", name, x: [x[0], x.at(-1)], y: [y, y], mode: "lines", line, hoverinfo: "y" });
  }
  return made;
}

function trace(plot, one) {
  return {
    type: "scatter",
    name: one.name,
    x: one.x,
    y: one.y.map((value) => placed(plot.y, value)),
    customdata: one.trials.length ? one.trials.map((number, i) => [number, one.y[i], one.deviations[i]]) : undefined,
    ...(one.deviations.length && one.kind === "points" ? { error_y: bars(plot, one) } : {}),
    ...(one.is_pale ? { opacity: 0.35, showlegend: false } : {}),
    mode: one.kind === "points" ? "markers" : one.x.length > 1 && !one.trials.length ? "lines" : "lines+markers",
    line: { color: colour(one.role), width: 2, dash: one.dash, shape: one.kind === "steps" ? "hv" : "linear" },
    marker: {
      symbol: one.symbol, color: colour(one.role), size: one.symbol === "diamond" ? 9 : one.size,
      opacity: one.kind === "points" && one.size < 10 ? 0.7 : 1,
      line: { width: one.symbol.endsWith("-open") ? 2 : 1, color: colour(one.role) },
    },
    hoverinfo: one.trials.length ? "none" : one.is_pale ? "skip" : "x+y",
  };
}

// On an axis of errors, a share stands at what it lacks to 1.
function placed(scale, value) {
  return scale.kind === "error" ? Math.max(1 - value, scale.floor) : value;
}

// On an axis of errors a bar ends at the floor.
function bars(plot, one) {
  const isError = plot.y.kind === "error";
  const below = one.y.map((value, i) => isError ? Math.min(one.deviations[i], placed(plot.y, value) - plot.y.floor) : one.deviations[i]);
  return { type: "data", symmetric: false, array: one.deviations, arrayminus: below, color: colour(one.role), thickness: 1.5, width: 4 };
}

// A line of steps with deviations has a band of one to each side.
function band(plot, one) {
  if (!one.deviations.length || one.kind !== "steps") return [];
  const edge = (sign) => one.y.map((value, i) => placed(plot.y, value + sign * one.deviations[i]));
  const common = { type: "scatter", x: one.x, mode: "lines", line: { width: 0, shape: "hv" }, hoverinfo: "skip", showlegend: false };
  return [{ ...common, y: edge(1) }, { ...common, y: edge(-1), fill: "tonexty", fillcolor: faint(colour(one.role)) }];
}

// #rrggbb at a part of its strength
const faint = (solid, part = 0.2) => `rgba(${[1, 3, 5].map((at) => parseInt(solid.slice(at, at + 2), 16))}, ${part})`;

// The ticks of an axis of errors are named by the shares: 0.9, 0.95, 0.98, 0.99 ..
function errorTicks(floor, isPerfect) {
  const values = [];
  for (let power = 0; power > -7 && 10 ** power > floor / 10; power--) {
    for (const factor of power ? [5, 2, 1] : [1]) values.push(Number((factor * 10 ** power).toPrecision(1)));
  }
  const apart = values.filter((value) => value > (isPerfect ? 1.8 : 1) * floor); // labels do not overlap
  const text = apart.map((value) => String(Number((1 - value).toFixed(8))));
  return { tickmode: "array", tickvals: [...apart, floor], ticktext: [...text, isPerfect ? "1" : ""] };
}

function layout(plot, address) {
  const axis = (scale) => ({
    title: { text: scale.name, standoff: 6 },
    type: { log: "log", date: "date", number: "linear", error: "log" }[scale.kind],
    ...(scale.kind === "error" ? { autorange: "reversed", ...errorTicks(scale.floor, plot.series.some((one) => one.y.includes(1))) } : {}),
    // a crowd is drawn behind the lines of the grid
    gridcolor: faint(colour("text"), 0.12), zerolinecolor: faint(colour("text"), 0.12), linecolor: colour("line"),
    automargin: true, ...(scale.name === "epoch" ? wholeTicks(plot.series.flatMap((one) => one.x)) : {}), ...(scale.kind === "log" ? logTicks(plot.series.flatMap((one) => scale === plot.x ? one.x : one.y)) : {}),
  });
  return {
    xaxis: axis(plot.x),
    yaxis: { ...axis(plot.y), ...(plot.level ? { rangemode: "tozero" } : range(plot)) },
    font: { family: "inherit", color: colour("muted"), size: 12 },
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 48, r: 12, t: 28, b: 40 },
    showlegend: plot.series.length > 1 || Boolean(plot.level) || plot.x.name === "epoch" || plot.x.name === "device seconds",
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom" },
    hoverlabel: { bgcolor: colour("page"), bordercolor: colour("line"), font: { color: colour("text") } },
    dragmode: noHover.matches ? false : "zoom",
    hovermode: "closest",
    uirevision: address, // the zoom is kept until another plot is asked for
  };
}

// A single value has no range: the axis shows a little to each side of it. A share of the images ends at 1.
function range(plot) {
  if (plot.y.kind !== "number") return {};
  const ys = plot.series.flatMap((one) => one.y), low = Math.min(...ys), high = Math.max(...ys);
  const room = 0.02 * Math.abs(low) || 1;
  const isShare = low >= 0 && high > 0.9 && high <= 1;
  if (low === high) return { range: [low - room, isShare ? Math.min(1 + room / 20, high + room) : high + room] };
  return isShare ? { range: [low - 0.05 * (high - low), Math.min(1, high + 0.05 * (high - low))] } : {};
}

// Epochs are counted: 1, 2, 3 or 10, 20, 30, but never 1.5.
function wholeTicks(values) {
  const rough = (Math.max(...values) - Math.min(...values)) / 8, power = 10 ** Math.floor(Math.log10(rough || 1));
  return { tickformat: "d", tick0: 0, dtick: Math.max(1, [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= rough) ?? 1) };
}

// 10k and 2M, but 0.5 and not 500m
function logTicks(values) {
  const low = Math.min(...values), high = Math.max(...values);
  return { tickformat: high < 1000 ? "~g" : "~s", dtick: Math.log10(high / low) > 3 ? 1 : "D2" };
}

function appear(plot, at, canvas, event) {
  clearTimeout(soon);
  soon = setTimeout(() => {
    const [number, value, deviation] = at.customdata, href = `${plot.href}/trial/${number}`;
    const picture = Object.assign(new Image(), { src: `${href}/picture.svg`, alt: "" });
    const link = Object.assign(document.createElement("a"), { href, textContent: `trial ${number}` });
    const said = (name, what) => `${name} ${what.toLocaleString("en", { maximumFractionDigits: 4 })}`;
    const spread = deviation === undefined ? "" : ` ± ${deviation.toFixed(4)}`;
    const text = document.createElement("p");
    text.append(link, `, ${at.data.name}: ${said(plot.y.name, value)}${spread}, ${said(plot.x.name, at.x)}`);
    card.replaceChildren(picture, text);
    card.hidden = false;
    place(canvas, event);
    picture.onload = () => place(canvas, event);
  }, SHOW_AFTER);
}

// The card stands beside its chart, or below or above it, and so covers none of its points.
function place(canvas, event) {
  const box = canvas.getBoundingClientRect(), wide = card.offsetWidth, high = card.offsetHeight;
  const level = Math.max(4, Math.min(event.clientY - high / 2, innerHeight - high - 4));
  const along = Math.max(4, Math.min(event.clientX - wide / 2, innerWidth - wide - 4));
  const [left, top] = box.right + wide + 8 < innerWidth ? [box.right + 4, level]
    : box.left - wide - 8 > 0 ? [box.left - wide - 4, level]
    : box.bottom + high < innerHeight ? [along, box.bottom]
    : [along, Math.max(4, box.top - high)];
  card.style.left = `${left}px`;
  card.style.top = `${top}px`;
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
  if (id === "against" || id === "table") draw(document.getElementById("plot-against"));
  if (id === "table") draw(document.getElementById("plot-curves"));
});
drawAll();

// a chart is as wide as its column of the screen; on paper it is as wide as a sheet
function resize(size) {
  for (const canvas of document.querySelectorAll(".canvas[data-ready]")) Plotly.relayout(canvas, size);
}
addEventListener("beforeprint", () => resize({ width: PAPER }));
addEventListener("afterprint", () => resize({ width: null, autosize: true }));
