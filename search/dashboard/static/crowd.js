// Draws the many points of a series on a canvas behind its chart: as elements of the chart they would make it jerk
// while it is dragged. One point of the series stays in the chart, which gives the others their shape.
"use strict";

const CROWD = 500; // points of a series from which on it is a crowd

const isCrowd = (one) => one.kind === "points" && one.x.length > CROWD && !one.deviations.length;

// The trace of a crowd becomes two: one point that is drawn and stands in the legend, and the others, which can be
// hovered over and clicked.
function parted(trace, uid) {
  const part = (from, to) => ({ x: trace.x.slice(from, to), y: trace.y.slice(from, to), customdata: trace.customdata.slice(from, to) });
  return [
    { ...trace, ...part(1), uid: `${uid}-others`, mode: "none", hoveron: "points", legendgroup: trace.name, showlegend: false },
    { ...trace, ...part(0, 1), uid, legendgroup: trace.name },
  ];
}

// Draw the crowds of a chart now, and again whenever it has moved.
function drawBehind(chart) {
  if (!chart.querySelector(".crowd")) {
    chart.querySelector(".svg-container").prepend(Object.assign(document.createElement("canvas"), { className: "crowd" }));
    chart.on("plotly_afterplot", () => drawCrowds(chart, stamps(chart)));
    chart.on("plotly_relayouting", () => drawCrowds(chart, chart.stamps)); // while it is dragged its points look the same
  }
  drawCrowds(chart, stamps(chart));
}

// The picture of a point of each crowd that is shown.
function stamps(chart) {
  const shown = chart._fullData.filter((trace) => trace.uid.endsWith("-others") && trace.visible === true);
  const point = (trace) => chart.querySelector(`.scatterlayer .trace${trace.uid.slice(0, -"-others".length)} path.point`);
  chart.stamps = shown.map((trace) => [trace, stamp(point(trace), devicePixelRatio)]);
  return chart.stamps;
}

function drawCrowds(chart, crowds) {
  const { xaxis, yaxis } = chart._fullLayout, behind = chart.querySelector(".crowd");
  const wide = Math.round(xaxis._length * devicePixelRatio), high = Math.round(yaxis._length * devicePixelRatio);
  if (behind.width !== wide || behind.height !== high) Object.assign(behind, { width: wide, height: high });
  Object.assign(behind.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px`, width: `${xaxis._length}px`, height: `${yaxis._length}px` });
  const pen = behind.getContext("2d"), x = placing(xaxis, wide), y = placing(yaxis, -high);
  pen.clearRect(0, 0, wide, high);
  for (const [trace, made] of crowds) {
    const half = made.width / 2;
    for (let i = 0; i < trace.x.length; i++) {
      const left = x(trace.x[i]), top = y(trace.y[i]) + high;
      if (left > -half && left < wide + half && top > -half && top < high + half) pen.drawImage(made, left - half, top - half);
    }
  }
}

// Where a value stands on an axis of this length, by the range that it shows now.
function placing(axis, length) {
  const [from, to] = axis.range.map((end) => axis.r2l(end));
  return (value) => (axis.d2l(value) - from) / (to - from) * length;
}

// The picture of a point of the chart.
function stamp(point, dense) {
  const look = getComputedStyle(point), shape = point.getBBox();
  const half = Math.max(...[shape.x, shape.y, shape.x + shape.width, shape.y + shape.height].map(Math.abs)) + 2;
  const made = Object.assign(document.createElement("canvas"), { width: Math.ceil(2 * half * dense), height: Math.ceil(2 * half * dense) });
  const pen = made.getContext("2d"), path = new Path2D(point.getAttribute("d"));
  pen.translate(made.width / 2, made.height / 2);
  pen.scale(dense, dense);
  pen.globalAlpha = Number(look.opacity);
  pen.fillStyle = look.fill;
  if (look.fill !== "none") pen.fill(path);
  pen.strokeStyle = look.stroke;
  pen.lineWidth = parseFloat(look.strokeWidth);
  if (look.stroke !== "none" && pen.lineWidth) pen.stroke(path);
  return made;
}
