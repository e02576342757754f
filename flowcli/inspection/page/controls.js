// Mouse, touch, keys, tabs, playing, and the address.

const STEPS = ["raft", "encode", "correlate", "look_up", "update", "upsample", "try"];
const playing = { timer: null, once: false, hovering: false };

function look(x, y, keep) {
  state.x = within(Math.floor(x), 0, width - 1);
  state.y = within(Math.floor(y), 0, height - 1);
  state.drag = null;
  if (keep) { state.keptX = state.x; state.keptY = state.y; }
  show();
}

function goTo(update) {
  state.update = within(update, 1, lastUpdate());
  state.drag = null;
  show();
}

function choose(step) {
  state.step = step;
  for (const tab of document.querySelectorAll("[role=tab]")) {
    const chosen = tab.id === `tab-${step}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    if (chosen) byId("steps").scrollLeft = tab.offsetLeft + (tab.clientWidth - byId("steps").clientWidth) / 2;
  }
  const panel = ["correlate", "look_up"].includes(step) ? "levels-panel" : `panel-${step}`;
  for (const one of document.querySelectorAll("[role=tabpanel]")) one.hidden = one.id !== panel;
  byId("levels-panel").setAttribute("aria-labelledby", `tab-${step}`);
  byId("levels-panel").dataset.step = document.querySelector(".stage").dataset.step = step;
  show();
}

function startPlaying(once) {
  playing.once = once;
  playing.timer = setInterval(() => {
    if (playing.hovering && playing.once) return;
    if (playing.once && state.update >= lastUpdate()) stopPlaying();
    else goTo(state.update % lastUpdate() + 1);
  }, once ? 900 : 600);
  showPlaying();
}

function stopPlaying() {
  clearInterval(playing.timer);
  playing.timer = null;
  showPlaying();
}

function showPlaying() {
  byId("play").textContent = playing.timer === null ? "Play" : "Pause";
}

const togglePlaying = () => (playing.timer === null ? startPlaying(false) : stopPlaying());

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = name === "dark" ? "Light" : "Dark";
}

function layer(name) {
  state.layer = name;
  for (const button of document.querySelectorAll("[data-layer]")) button.setAttribute("aria-pressed", button.dataset.layer === name);
  show();
}

function fromAddress() {
  const parameters = new URLSearchParams(location.hash.slice(1)), start = data.pixels[0] || { x: width >> 1, y: height >> 1 };
  const given = (key, otherwise) => (/^\d+$/.test(parameters.get(key) || "") ? Number(parameters.get(key)) : otherwise);
  if (["dark", "light"].includes(parameters.get("theme"))) theme(parameters.get("theme"));
  state.update = within(given("i", 1), 1, lastUpdate());
  choose(STEPS.includes(parameters.get("step")) ? parameters.get("step") : state.step);
  look(given("x", start.x), given("y", start.y), true);
  return parameters.has("i");
}

// The point of the frame under a pointer, in px.
function pointOn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return { x: (event.clientX - box.left) * width / box.width, y: (event.clientY - box.top) * height / box.height };
}

function listenToFrame(canvas) {
  const under = (event, keep) => {
    const point = pointOn(canvas, event);
    look(point.x, point.y, keep);
  };
  canvas.addEventListener("pointerenter", () => { playing.hovering = true; });
  canvas.addEventListener("pointermove", (event) => under(event, event.pointerType === "touch"));
  canvas.addEventListener("click", (event) => { stopPlaying(); under(event, true); });
  canvas.addEventListener("pointerleave", () => {
    playing.hovering = false;
    if (state.x !== state.keptX || state.y !== state.keptY) look(state.keptX, state.keptY, true);
  });
}

// Dragging in the second frame moves the correspondence of the kept pixel, then RAFT goes on from there.
function listenToSecond(canvas) {
  const move = (event) => {
    const point = pointOn(canvas, event);
    state.drag = scaled(minus(point, { x: state.x + 0.5, y: state.y + 0.5 }), 1 / data.cell);
    show();
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (!live.worker) return;
    stopPlaying();
    canvas.setPointerCapture(event.pointerId);
    move(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) move(event); });
  canvas.addEventListener("pointerup", () => { if (state.drag) branch(dragged()); });
  canvas.addEventListener("pointercancel", () => { state.drag = null; show(); });
  canvas.addEventListener("keydown", (event) => {
    if (!live.worker) return;
    if (event.key in MOVES) {
      const [dx, dy] = MOVES[event.key], from = state.drag || flowAt(state.update - 1, cellOf());
      stopPlaying();
      state.drag = { x: from.x + dx, y: from.y + dy };
      show();
    } else if (event.key === "Enter" && state.drag) branch(dragged());
    else if (event.key === "Escape") { state.drag = null; show(); } else return;
    event.preventDefault();
    event.stopPropagation();
  });
}

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
const TURNS = { "[": -1, ",": -1, "]": 1, ".": 1 };

function listenToKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const control = event.target.closest && event.target.closest("input, select, button");
    if (event.key in MOVES && !control) {
      const [dx, dy] = MOVES[event.key], by = event.shiftKey ? 8 : 1;
      stopPlaying();
      look(state.keptX + dx * by, state.keptY + dy * by, true);
    } else if (event.key in TURNS) { stopPlaying(); goTo(state.update + TURNS[event.key]); }
    else if (event.key === " " && !control) togglePlaying();
    else if (/^[0-6]$/.test(event.key) && !(control && control.matches("select"))) choose(STEPS[event.key]);
    else return;
    event.preventDefault();
  });
  byId("steps").addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    choose(STEPS[(STEPS.indexOf(state.step) + by + STEPS.length) % STEPS.length]);
    byId(`tab-${state.step}`).focus();
    event.preventDefault();
  });
}

// The parts of the diagram open their steps.
function listenToDiagram(diagram) {
  const open = (event) => {
    const part = event.target.closest("[data-step]");
    if (!part) return;
    choose(part.dataset.step);
    byId(`tab-${part.dataset.step}`).focus();
    event.preventDefault();
    event.stopPropagation();
  };
  diagram.addEventListener("click", open);
  diagram.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") open(event); });
}

function listen() {
  listenToFrame(byId("frame"));
  listenToSecond(byId("second"));
  listenToDiagram(document.querySelector(".diagram"));
  listenToKeys();
  byId("slider").oninput = (event) => { stopPlaying(); goTo(Number(event.target.value)); };
  byId("play").onclick = togglePlaying;
  byId("theme").onclick = () => { theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"); show(); };
  for (const tab of document.querySelectorAll("[role=tab]")) tab.onclick = () => choose(tab.id.replace("tab-", ""));
  for (const button of document.querySelectorAll("[data-layer]")) button.onclick = () => layer(button.dataset.layer);
  window.addEventListener("hashchange", fromAddress);
  window.addEventListener("resize", show);
}
