// The reader's own run: another correspondence, other parts of RAFT, more updates.

const MORE = 5;
let experiments = 0;

function buildExperiment() {
  const boxes = Array.from({ length: levels }, (_, level) => [`level${level}`, `level ${level}`])
    .concat([["context", "context"], ["motion-features", "motion features"]]);
  byId("parts").innerHTML = boxes.map(([id, name]) => `<label><input type="checkbox" id="use-${id}" checked> ${name}</label>`).join("");
  byId("reach").innerHTML = Array.from({ length: radius + 1 }, (_, r) =>
    `<option value="${r}"${r === radius ? " selected" : ""}>${r}${r === radius ? " (trained)" : ""}</option>`).join("");
  byId("reach-note").textContent = `These weights were trained with radius ${radius}: they take ${side} × ${side} values of each level. `
    + "With a smaller radius the values beyond it are 0, which they never were in training; values beyond a larger one would have no weights.";
  byId("run").onclick = () => branch(flowsOf()[state.update - 1]);
  byId("go-on").onclick = goOn;
  byId("forget").onclick = forget;
}

const settings = () => ({
  levels: Array.from({ length: levels }, (_, level) => byId(`use-level${level}`).checked),
  radius: Number(byId("reach").value), context: byId("use-context").checked, motion: byId("use-motion-features").checked,
});

// The updates after the lookup that is shown are made anew, from the given flow.
function branch(flow) {
  beginMine({ of: state.run, from: state.update - 1, flow, until: state.update - 1 + data.updates });
}

function beginMine({ of, from, flow, until }) {
  experiments += 1;
  // Until the worker answers, the first update stands still.
  const flows = [...runs[of].flows.slice(0, from), flow, flow];
  // The worker has made its own updates only up to here.
  const made = of === "mine" ? runs.mine.done : live.flows.length - 1;
  runs.mine = { id: experiments, from, until, flows, done: Math.min(from, made) };
  live.waiting = null;
  live.worker.postMessage({ kind: "branch", id: experiments, of, from, flow, settings: settings(), until });
  stopPlaying();
  Object.assign(state, { run: "mine", drag: null, update: from + 1 });
  choose("try");
}

// The whole frame's flow with the cell's correspondence, and that of those around it, moved to where it was dragged.
function dragged() {
  const cell = cellOf(), reach = Number(byId("patch").value), flow = flowsOf()[state.update - 1].slice();
  const moved = minus(state.drag, flowAt(state.update - 1, cell));
  for (let row = Math.max(cell.row - reach, 0); row <= Math.min(cell.row + reach, rows - 1); row++) {
    for (let column = Math.max(cell.column - reach, 0); column <= Math.min(cell.column + reach, columns - 1); column++) {
      flow[2 * (row * columns + column)] += moved.x;
      flow[2 * (row * columns + column) + 1] += moved.y;
    }
  }
  return flow;
}

function goOn() {
  const from = lastUpdate();
  if (state.run === "pytorch") return beginMine({ of: "pytorch", from, flow: flowsOf()[from], until: from + MORE });
  runs.mine.until += MORE;
  live.worker.postMessage({ kind: "goOn", until: runs.mine.until });
  return goTo(from);
}

function forget() {
  Object.assign(state, { run: "pytorch", drag: null, update: Math.min(state.update, data.updates) });
  show();
}

function showExperiment({ cell }) {
  byId("engine").textContent = engineText();
  byId("forget").disabled = state.run !== "mine";
  for (const id of ["run", "go-on"]) byId(id).disabled = !live.worker;
  byId("run").textContent = `Run from update ${state.update}`;
  byId("outcome").textContent = outcome(cell);
  if (state.run !== "mine" || !runs.mine) return void (byId("comparison").hidden = true);
  byId("comparison").hidden = false;
  const here = [], whole = [];
  runs.mine.flows.forEach((flow, update) => {
    const plain = live.flows[Math.min(update, live.flows.length - 1)];
    here.push([update, data.cell * length(minus(flowAt(update, cell), flowAt(update, cell, live.flows)))]);
    whole.push([update, compareFlows(flow, plain).mean]);
  });
  chart(byId("comparison-chart"), [{ points: here, colour: "--trail" }, { points: whole, colour: "--muted", dashed: true }],
    { last: runs.mine.flows.length - 1, unitText: "px from the unchanged run" });
}

// How far the cell of the reader's run is from that of the unchanged one, whose last update counts for all after it.
function outcome(cell) {
  if (state.run !== "mine") {
    return "Drag the red square in the second frame to another place, or switch parts off and run: does RAFT find back?";
  }
  const apartAfter = (updates) => data.cell * length(minus(flowAt(updates, cell), flowAt(updates, cell, live.flows)));
  const apart = apartAfter(lastUpdate()), begun = apartAfter(runs.mine.from);
  const busy = runs.mine.done < runs.mine.until ? "so far, " : "";
  const verdict = begun < 1 ? (apart < 1 ? "it ends at the same place" : "it ends elsewhere")
    : apart < 1 ? "it found back" : apart < begun / 2 ? "it is on its way back" : "it did not find back";
  return `Your run, update ${runs.mine.done} of ${runs.mine.until}: ${busy}the cell is ${number(apart, 1)} px from where the unchanged run ends: ${verdict}.`;
}

const small = (distance) => (distance < 1e-4 ? "less than 0.0001" : number(distance, 4));

function engineText() {
  if (!live.worker) return whyNoDetail();
  const done = live.difference.length;
  if (!done) return "RAFT starts in this page…";
  const largest = Math.max(...live.difference.map((one) => one.largest)), average = live.difference[done - 1].mean;
  return `RAFT runs in this page, ${number(live.milliseconds / 1000, 1)} s per update. ${done === data.updates ? "All" : done} `
    + `${data.updates === done ? "" : `of ${data.updates} `}updates repeated: on average ${small(average)} px from PyTorch's, at most ${small(largest)} px.`;
}
