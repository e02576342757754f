// Computes updates when the page asks: first PyTorch's run again, then runs of the reader's own.

let operator = null;
const plain = { levels: [true, true, true, true, true], radius: Infinity, context: true, motion: true };
// { id, states, settings, until }: states before the first update and after each, with the settings that led there.
const runs = { pytorch: null, mine: null };

const tasks = {
  begin({ shape, layers, maps, hidden, flow, updates }) {
    operator = new Operator(shape, layers, maps);
    runs.pytorch = { id: 0, states: [{ flow, hidden }], settings: plain, until: updates };
    setTimeout(work);
  },
  // A run that leaves another one after `from` updates, there with another flow.
  branch({ id, of, from, flow, settings, until }) {
    runs.mine = { id, of: statesOf(of), from, flow, settings, until, states: null };
    setTimeout(work);
  },
  goOn({ until }) {
    runs.mine.until = until;
    setTimeout(work);
  },
  look(question) {
    postMessage({ kind: "detail", key: question.key, ...detail(statesOf(question.run), question) });
  },
};

// A run that has not left the other one yet has the states of that one.
const statesOf = (name) => runs[name].states || runs[name].of;

onmessage = ({ data }) => attempt(() => tasks[data.kind](data));

function attempt(action) {
  try {
    action();
  } catch (error) {
    postMessage({ kind: "failed", message: String(error) });
  }
}

let working = false;

// One update, then whatever the page has asked meanwhile, then the next; the reader's run first.
function work() {
  if (working) return;
  attempt(() => {
    const { mine, pytorch } = runs;
    if (mine && !mine.states && mine.of.length > mine.from) {
      mine.states = [...mine.of.slice(0, mine.from), { ...mine.of[mine.from], flow: mine.flow }];
    }
    const name = mine && mine.states && mine.states.length <= mine.until ? "mine" : "pytorch", run = runs[name];
    if (run.states.length > run.until) return;
    const began = performance.now(), update = run.states.length;
    const next = operator.update(run.states[update - 1], run.settings);
    run.states.push({ ...next, settings: run.settings });
    postMessage({ kind: "updated", id: run.id, update, flow: next.flow, milliseconds: performance.now() - began });
    working = true;
    setTimeout(() => { working = false; work(); });
  });
}

// What one update did at one cell, and the flow of its pixel after every update, in px.
function detail(states, { update, place }) {
  const { row, column } = place, cell = row * operator.columns + column;
  const part = (values, count) => values.slice(cell * count, (cell + 1) * count);
  const hidden = operator.hiddenChannels, result = { gates: [], flows: [] };
  const shares = (at) => upsamplingWeights(operator, states[at].hidden, place);
  for (let i = 1; i < states.length; i++) {
    const [updateGate, resetGate] = operator.gatesAt(states[i - 1].hidden, states[i].motion, states[i].settings, place);
    result.gates.push(updateGate.reduce((a, b) => a + b) / hidden);
    result.flows.push(fineFlow(operator, states[i].flow, shares(i), place));
    if (i === update) Object.assign(result, { updateGate, resetGate });
  }
  return {
    ...result, before: part(states[update - 1].hidden, hidden), after: part(states[update].hidden, hidden),
    motion: part(states[update].motion, operator.motionChannels), weights: shares(update),
  };
}
