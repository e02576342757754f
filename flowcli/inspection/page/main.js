// Builds the page, opens at update 1, plays once, and starts RAFT beside it.

function build() {
  document.title = byId("title").textContent = `RAFT explorer: ${data.name}`;
  const frames = data.frames ? `frames ${data.frames[0]} and ${data.frames[1]}, ` : "";
  byId("about").textContent = `${frames}${width} × ${height}, ${data.weights}, ${data.updates} updates`;
  byId("wheel").src = data.wheel;
  byId("wheel").alt = `Colour wheel of flow; full colour: ${number(data.maxFlow, 1)} px`;
  byId("wheel").title = byId("wheel").alt;
  document.documentElement.style.setProperty("--shape", width / height);
  document.documentElement.style.setProperty("--grid-shape", columns / rows);
  document.querySelector("[data-layer=truth]").hidden = !data.truth;
  for (const part of document.querySelectorAll(".with-truth")) part.hidden = !data.truth;
  for (const part of document.querySelectorAll(".if-live")) part.hidden = !data.live;
  if (averaging > 1) {
    byId("coarser").hidden = false;
    byId("coarser").textContent = `To keep this page small, its feature maps are averaged over ${averaging} × ${averaging} `
      + "cells: responses are approximate. inspect.json has the exact responses of the inspected pixels.";
  }
  for (const [index, pixel] of data.pixels.entries()) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `${index + 1}: ${pixel.x}, ${pixel.y} ${pixel.kind}`;
    button.title = pixel.why;
    button.onclick = () => look(pixel.x, pixel.y, true);
    byId("marks").append(button);
  }
  if (data.edge) {
    byId("edge").hidden = false;
    byId("edge").textContent = `Go to pixel ${data.edge.x}, ${data.edge.y}`;
    byId("edge").onclick = () => look(data.edge.x, data.edge.y, true);
  }
  document.documentElement.classList.toggle("wide", columns > 1.5 * rows);
  document.documentElement.classList.toggle("upright", columns < rows);
  for (const part of document.querySelectorAll("[data-story]")) part.textContent = data.story[part.dataset.story];
  buildEncode();
  buildLevels();
  buildExperiment();
}

async function begin() {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  theme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => { theme(dark.matches ? "dark" : "light"); show(); });
  const { first, second, flows, truth, live: parts } = data;
  const packed = { first, second, flows, truth, hidden: parts && parts.hidden, context: parts && parts.context };
  await Promise.all([loadImages(), ...Object.keys(packed).map(async (name) => {
    tensors[name] = packed[name] && await unpack(packed[name]);
  })]);
  const size = 2 * rows * columns;
  runs.pytorch.flows = Array.from({ length: data.updates + 1 }, (_, i) => tensors.flows.slice(i * size, (i + 1) * size));
  build();
  listen();
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (!fromAddress() && !still) startPlaying(true);
  await startLive();
}

begin();
