"use strict";
// Decodes the arrays that flowcli/inspection/packing.py packed.

const HALVES = new Float32Array(65536).map((_, code) => {
  const sign = code & 0x8000 ? -1 : 1, exponent = (code >> 10) & 31, fraction = code & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
});

const WIDTHS = { float32: 4, float16: 2, fixed16: 2, fixed24: 3 }; // bytes

async function unpack({ kind, bytes, low, step }) {
  const packed = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const width = WIDTHS[kind], count = planes.length / width, codes = new Uint32Array(count);
  for (let plane = 0; plane < width; plane++) {
    for (let i = 0; i < count; i++) codes[i] |= planes[plane * count + i] << (8 * plane);
  }
  if (kind === "float32") return new Float32Array(codes.buffer);
  if (kind === "float16") return Float32Array.from(codes, (code) => HALVES[code]);
  const unknown = 2 ** (8 * width) - 1, values = new Float32Array(count), channels = low.length, cells = count / channels;
  for (let channel = 0; channel < channels; channel++) for (let cell = 0; cell < cells; cell++) {
    const code = codes[channel * cells + cell];
    values[cell * channels + channel] = code === unknown ? NaN : low[channel] + code * step[channel];
  }
  return values;
}

async function unpackLayers(layers) {
  const names = Object.keys(layers);
  const unpacked = await Promise.all(names.map(async (name) => {
    const [weights, bias] = await Promise.all([unpack(layers[name].weights), unpack(layers[name].bias)]);
    return [name, { ...layers[name], weights, bias }];
  }));
  return Object.fromEntries(unpacked);
}
