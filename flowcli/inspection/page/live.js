// The page's side of the worker that runs RAFT's updates: it repeats PyTorch's run, then computes the reader's own.

const live = {
  worker: null, flows: [], difference: [], milliseconds: 0, failure: null, detail: null, stale: false, asked: null, waiting: null,
};

async function startLive() {
  if (!data.live) return;
  const { first, second, hidden, context } = tensors, layers = await unpackLayers(data.live.layers);
  const script = new Blob([byId("worker").textContent], { type: "text/javascript" });
  live.worker = new Worker(URL.createObjectURL(script));
  live.worker.onmessage = ({ data: message }) => received[message.kind](message);
  live.worker.onerror = (event) => received.failed({ message: event.message });
  live.flows = [runs.pytorch.flows[0]];
  live.worker.postMessage({
    kind: "begin", shape: { rows, columns, radius, levels, channels }, layers,
    maps: { first, second, context }, hidden,
    flow: runs.pytorch.flows[0], updates: data.updates,
  });
}

const received = {
  updated({ id, update, flow, milliseconds }) {
    live.milliseconds = milliseconds;
    if (id === 0) {
      live.flows[update] = flow;
      live.difference[update - 1] = compareFlows(flow, runs.pytorch.flows[update]);
    } else if (runs.mine && id === runs.mine.id) {
      runs.mine.flows[update] = flow;
      runs.mine.done = update;
      if (state.run === "mine" && state.update === update - 1) state.update = update;
    }
    live.stale = true;
    show();
  },
  detail(message) {
    live.asked = null;
    live.detail = message;
    live.stale = false;
    if (live.waiting) ask(live.waiting);
    show();
  },
  failed({ message }) {
    live.failure = message;
    live.worker.terminate();
    live.worker = null;
    show();
  },
};

// The largest and the mean length of the difference, in px.
function compareFlows(one, other) {
  let largest = 0, sum = 0;
  for (let i = 0; i < one.length; i += 2) {
    const apart = data.cell * Math.hypot(one[i] - other[i], one[i + 1] - other[i + 1]);
    largest = Math.max(largest, apart);
    sum += apart;
  }
  return { largest, mean: sum / (one.length / 2) };
}

// What happened inside the update at this pixel: { updateGate, resetGate, before, after, motion, weights, flows, gates }.
// null until the worker answers, or if it cannot.
function detailHere() {
  const id = state.run === "mine" ? runs.mine.id : 0;
  const question = { run: state.run, id, update: state.update, x: state.x, y: state.y };
  const key = JSON.stringify(question);
  const known = live.detail && live.detail.key === key ? live.detail : null;
  const done = state.run === "mine" ? runs.mine.done : live.flows.length - 1;
  // What is known is shown until the flow after further updates is known too.
  if (live.worker && state.update <= done && (!known || live.stale)) ask({ ...question, key });
  return known;
}

// One question at a time: while it is computed, only the last one of those after it waits.
function ask(question) {
  live.waiting = null;
  if (live.asked === question.key) return;
  if (live.asked) {
    live.waiting = question;
    return;
  }
  live.asked = question.key;
  const cell = cellOf(question.x, question.y);
  const inside = { x: (question.x + data.left) % data.cell, y: (question.y + data.top) % data.cell };
  live.worker.postMessage({ kind: "look", ...question, place: { ...cell, ...inside } });
}
