// The call's sound: IMA ADPCM in blocks, decoded when it is first played. voiceloop/record/adpcm.py says how it is coded.

const STEPS = (() => {
  const steps = [7, 8, 9, 10, 11, 12, 13, 14, 16, 17, 19, 21, 23, 25, 28, 31, 34, 37, 41, 45, 50, 55, 60, 66, 73, 80, 88, 97,
    107, 118, 130, 143, 157, 173, 190, 209, 230, 253, 279, 307, 337, 371, 408, 449, 494, 544, 598, 658, 724, 796,
    876, 963, 1060, 1166, 1282, 1411, 1552, 1707, 1878, 2066, 2272, 2499, 2749, 3024, 3327, 3660, 4026, 4428,
    4871, 5358, 5894, 6484, 7132, 7845, 8630, 9493, 10442, 11487, 12635, 13899, 15289, 16818, 18500, 20350,
    22385, 24623, 27086, 29794, 32767];
  return Int32Array.from(steps);
})();
const MOVES = [-1, -1, -1, -1, 2, 4, 6, 8];
const HEADER = 4;

/** All samples in -1..1; blocks that the file leaves out are silent. */
function decodeSound(shape, bytes) {
  const samples = new Float32Array(shape.samples);
  const size = HEADER + shape.block / 2;
  let from = 0;
  for (const [first, count] of shape.runs) {
    for (let block = first; block < first + count; block++, from += size) decodeBlock(bytes, from, samples, block * shape.block, shape.block);
  }
  return samples;
}

function decodeBlock(bytes, from, samples, to, count) {
  let value = ((bytes[from] | (bytes[from + 1] << 8)) << 16) >> 16;
  let index = bytes[from + 2];
  const end = Math.min(count, samples.length - to);
  for (let at = 0; at < end; at++) {
    const code = (bytes[from + HEADER + (at >> 1)] >> ((at & 1) * 4)) & 15;
    const step = STEPS[index];
    let change = step >> 3;
    if (code & 4) change += step;
    if (code & 2) change += step >> 1;
    if (code & 1) change += step >> 2;
    value = clamp(code & 8 ? value - change : value + change, -32768, 32767);
    index = clamp(index + MOVES[code & 7], 0, 88);
    samples[to + at] = value / 32768;
  }
}
