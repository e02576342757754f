// Assembles the WebAssembly module of kernels.js: WebAssembly has four floats per instruction, JavaScript has one.
// Code is written as nested arrays of bytes, in the order of the text format's stack machine.

const I32 = 0x7f, V128 = 0x7b;

function unsigned(value) {
  const bytes = [];
  do {
    bytes.push((value & 127) | (value > 127 ? 128 : 0));
    value >>>= 7;
  } while (value);
  return bytes;
}

function signed(value) {
  const bytes = [];
  for (;;) {
    const low = value & 127;
    value >>= 7;
    if ((value === 0 && !(low & 64)) || (value === -1 && low & 64)) return [...bytes, low];
    bytes.push(low | 128);
  }
}

const simd = (code) => [0xfd, ...unsigned(code)];
const memory = (code, offset) => [simd(code), 2, unsigned(offset)];

const op = {
  get: (local) => [0x20, unsigned(local)],
  set: (local) => [0x21, unsigned(local)],
  tee: (local) => [0x22, unsigned(local)],
  constant: (value) => [0x41, signed(value)],
  add: [0x6a],
  less: [0x49], // unsigned
  again: (depth) => [0x0d, unsigned(depth)], // br_if
  loop: (body) => [0x03, 0x40, body, 0x0b],
  load: (offset) => memory(0, offset),
  splat: (offset) => memory(9, offset), // v128.load32_splat
  store: (offset) => memory(11, offset),
  zero: [simd(12), new Array(16).fill(0)], // v128.const
  lane: (index) => [simd(31), index], // f32x4.extract_lane
  sum: simd(228), // f32x4.add
  times: simd(230), // f32x4.mul
  fused: simd(0x105), // f32x4.relaxed_madd
  sumOne: [0x92], // f32.add
  storeOne: (offset) => [0x38, 2, unsigned(offset)],
};

const section = (id, parts) => {
  const content = [unsigned(parts.length), parts].flat(Infinity);
  return [id, unsigned(content.length), content];
};

const sized = (parts) => {
  const content = parts.flat(Infinity);
  return [unsigned(content.length), content];
};

// The module of functions { name, parameters, integers, vectors, body }: all parameters are i32, and the locals after
// them are `integers` i32 and `vectors` v128. It imports its memory as page.memory.
function assemble(functions) {
  const text = (word) => [unsigned(word.length), [...word].map((letter) => letter.charCodeAt(0))];
  const bytes = [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    section(1, functions.map((f) => [0x60, unsigned(f.parameters), new Array(f.parameters).fill(I32), 0])),
    section(2, [[text("page"), text("memory"), 2, 0, 1]]),
    section(3, functions.map((_, index) => unsigned(index))),
    section(7, functions.map((f, index) => [text(f.name), 0, unsigned(index)])),
    section(10, functions.map((f) => sized([2, unsigned(f.integers), I32, unsigned(f.vectors), V128, f.body, 0x0b]))),
  ];
  return new Uint8Array(bytes.flat(Infinity));
}
