"use strict";
// Decodes the arrays that flowcli/inspection/packing.py packed.

const HALVES = new Float32Array(65536).map((_, code) => {
  const sign = code & 0x8000 ? -1 : 1, exponent = (code >> 10) & 31, fraction = code & 1023;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
});

async function unpack({ kind, bytes, low, step }) {
  const packed = Uint8Array.from(atob(bytes), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  const planes = new Uint8Array(await new Response(stream).arrayBuffer());
  const width = kind === "float32" ? 4 : 2, count = planes.length / width, whole = new Uint8Array(planes.length);
  for (let plane = 0; plane < width; plane++) {
    for (let i = 0; i < count; i++) whole[width * i + plane] = planes[plane * count + i];
  }
  if (kind === "float32") return new Float32Array(whole.buffer);
  const codes = new Uint16Array(whole.buffer);
  if (kind === "float16") return Float32Array.from(codes, (code) => HALVES[code]);
  return Float32Array.from(codes, (code, i) => (code === 65535 ? NaN : low[i % low.length] + code * step[i % low.length]));
}

async function unpackLayers(layers) {
  const names = Object.keys(layers);
  const unpacked = await Promise.all(names.map(async (name) => {
    const [weights, bias] = await Promise.all([unpack(layers[name].weights), unpack(layers[name].bias)]);
    return [name, { ...layers[name], weights, bias }];
  }));
  return Object.fromEntries(unpacked);
}
