// Shows the state: once per frame of the screen at most.

let maps = null, mapsOf = "", scheduled = false;

function show() {
  if (scheduled) return;
  scheduled = true;
  requestAnimationFrame(() => {
    scheduled = false;
    draw();
  });
}

// All that the page says about the pixel at the update.
function observe() {
  const cell = cellOf(), key = `${cell.row},${cell.column}`;
  if (mapsOf !== key) {
    const found = responses(cell);
    maps = { found, peaks: found.map(peakOf) };
    mapsOf = key;
  }
  const trail = flowsOf().map((_, update) => centerAt(update, cell, 0));
  const lookups = maps.found.map((map, level) => lookup(map, centerAt(state.update - 1, cell, level)));
  const detail = detailHere(), truth = truthAt(state.x, state.y);
  const before = flowAt(state.update - 1, cell), after = flowAt(state.update, cell);
  const errors = truth && detail ? detail.flows.map((flow, i) => [i + 1, length(minus(flow, truth))]) : null;
  return { cell, maps: maps.found, peaks: maps.peaks, trail, lookups, detail, truth, errors, after, made: minus(after, before) };
}

const panels = {
  encode: showEncode, update: showUpdate, upsample: showUpsample, try: showExperiment,
  correlate: (here) => maps.found.forEach((_, level) => showLevel(here, level)),
  look_up: (here) => maps.found.forEach((_, level) => showLevel(here, level)),
};

function draw() {
  const here = observe();
  for (const part of document.querySelectorAll(".update")) part.textContent = state.update;
  byId("updates").textContent = byId("slider").max = lastUpdate();
  byId("slider").value = state.update;
  byId("slider").setAttribute("aria-valuetext", `update ${state.update} of ${lastUpdate()}`);
  showFacts(here);
  showTold();
  drawFrame(byId("frame"));
  drawSecond(byId("second"), here.cell);
  drawMenu(here);
  (panels[state.step] || (() => {}))(here);
  const sentence = (sentences[state.step] || sentences.update)(here);
  byId("sentence").textContent = sentence;
  byId("frame").setAttribute("aria-label", `First frame, pixel ${state.x}, ${state.y}. Arrow keys move the pixel.`);
  announce(sentence);
}

function showFacts({ cell, detail, truth, after, made }) {
  const flow = detail ? detail.flows[state.update - 1] : scaled(after, data.cell);
  const facts = {
    at: `${state.x}, ${state.y}`, cell: `${cell.row}, ${cell.column}`, uv: pair(flow), made: pair(scaled(made, data.cell)),
    truth: truth ? pair(truth) : "unknown", error: truth ? number(length(minus(flow, truth))) : "",
  };
  for (const [id, value] of Object.entries(facts)) byId(id).textContent = value;
  byId("uv-name").textContent = detail ? "flow, px" : "flow of the cell, px";
  Object.assign(byId("pixel").dataset, {
    x: state.x, y: state.y, update: state.update, row: cell.row, column: cell.column, run: state.run,
    u: after.x, v: after.y, deltaU: made.x, deltaV: made.y,
    ...(detail && { fineU: flow.x, fineV: flow.y, weights: Array.from(detail.weights).join(" "), gate: detail.gates[state.update - 1] }),
  });
}

// What the command wrote about an inspected pixel.
function showTold() {
  const told = state.run === "pytorch" && data.pixels.find(({ x, y }) => x === state.x && y === state.y);
  for (const part of document.querySelectorAll("[data-told]")) {
    part.textContent = told ? `This pixel is inspected (${told.why}). ${told.story[part.dataset.told]}` : "";
  }
}

// Screen readers hear the sentence once the reader rests, and not while the page plays.
let pause = null;
function announce(sentence) {
  clearTimeout(pause);
  if (playing.timer === null) pause = setTimeout(() => { byId("announcement").textContent = `Update ${state.update}. ${sentence}`; }, 700);
}

// The thumbnails of the menu: the machine, with this pixel's tensors in it.
function drawMenu({ cell, maps: found, lookups, trail, made, detail }) {
  const thumb = (step) => document.querySelector(`#tab-${step} canvas`);
  if (!thumb("encode").clientWidth) return;
  const one = galleries[0].tiles[0].picture, [context] = sheet(thumb("encode"), columns, rows);
  context.drawImage(one, 0, 0, columns, rows);
  const center = centerAt(state.update - 1, cell, 0);
  drawMap(thumb("correlate"), found[0], center, trail.slice(0, state.update));
  drawWindow(thumb("look_up"), lookups[0].shown, lookups[0].best, made, found[0]);
  thumb("update").style.visibility = detail ? "" : "hidden";
  if (detail) strip(thumb("update"), detail.updateGate, { low: 0, high: 1, across: 12 });
  const [flow] = sheet(thumb("upsample"), columns, rows);
  flow.drawImage(raster(flowImage(flowsOf()[state.update], columns, data.cell)), 0, 0);
}
