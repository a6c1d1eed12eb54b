// The sliders of a network's exits: each chooses a point of the stored curve, and the page shows what it comes to.
"use strict";

// a block, because the scripts of a page share their names
{
  const sliders = document.getElementById("exits-sliders");
  const steps = JSON.parse(sliders.dataset.steps);
  const ranges = { drop: JSON.parse(sliders.dataset.drop), macs: JSON.parse(sliders.dataset.macs) };
  const shown = {
    drop: (value) => `${Math.abs(value).toFixed(2)} points ${value < 0 ? "above" : "below"} the last exit alone`,
    macs: (value) => Math.round(value).toLocaleString("en"),
  };
  const NEAR = 1e-9; // rounding, relative to the range

  function limit(name) {
    const { low, high } = ranges[name];
    return low + (Number(sliders.elements[name].value) / 100) * (high - low);
  }

  // The cheapest point that loses no more, or the most accurate one that costs no more.
  function meeting(name) {
    const most = limit(name) + NEAR * Math.max(1, Math.abs(ranges[name].high));
    const found = steps.filter((one) => one[name] <= most);
    const other = name === "drop" ? "macs" : "drop";
    return found.reduce((best, one) => (one[other] < best[other] ? one : best));
  }

  function put(name, value) {
    const { low, high } = ranges[name];
    sliders.elements[name].value = Math.round((100 * (value - low)) / (high - low || 1));
  }

  function say(name, value) {
    document.getElementById(`exits-${name}-says`).textContent = shown[name](value);
    sliders.elements[name].setAttribute("aria-valuetext", shown[name](value));
  }

  function show(step) {
    const dot = document.getElementById("exits-chosen");
    dot.setAttribute("cx", step.x);
    dot.setAttribute("cy", step.y);
    document.getElementById("exits-says").textContent = step.says;
    document.querySelectorAll("#exits-table tbody tr").forEach((row, i) => {
      row.querySelector(".leaves").textContent = step.cells[i].leaves;
      row.querySelector(".those").textContent = step.cells[i].accuracy;
    });
  }

  sliders.addEventListener("input", (event) => {
    const name = event.target.name;
    const other = name === "drop" ? "macs" : "drop";
    const step = meeting(name);
    show(step);
    say(name, limit(name));
    put(other, step[other]);
    say(other, step[other]);
  });
  sliders.addEventListener("submit", (event) => event.preventDefault());

  const chosen = steps[Number(sliders.dataset.chosen)];
  for (const name of ["drop", "macs"]) say(name, chosen[name]);
  sliders.hidden = steps.length < 2;
}
