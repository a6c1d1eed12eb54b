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
    for (const moved of ["plotly_afterplot", "plotly_relayouting"]) chart.on(moved, () => drawCrowds(chart, chart.querySelector(".crowd")));
  }
  drawCrowds(chart, chart.querySelector(".crowd"));
}

function drawCrowds(chart, behind) {
  const { xaxis, yaxis } = chart._fullLayout, dense = devicePixelRatio;
  const wide = xaxis._length, high = yaxis._length;
  Object.assign(behind.style, { left: `${xaxis._offset}px`, top: `${yaxis._offset}px`, width: `${wide}px`, height: `${high}px` });
  behind.width = Math.round(wide * dense);
  behind.height = Math.round(high * dense);
  const pen = behind.getContext("2d");
  for (const trace of chart._fullData) {
    if (!trace.uid.endsWith("-others") || trace.visible !== true) continue;
    const point = chart.querySelector(`.scatterlayer .trace${trace.uid.slice(0, -"-others".length)} path.point`);
    const made = stamp(point, dense), half = made.width / 2;
    const x = placing(xaxis, wide * dense), y = placing(yaxis, -high * dense);
    for (let i = 0; i < trace.x.length; i++) {
      const left = x(trace.x[i]), top = y(trace.y[i]) + behind.height;
      if (left > -half && left < behind.width + half && top > -half && top < behind.height + half) pen.drawImage(made, left - half, top - half);
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
