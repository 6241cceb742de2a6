// The decoder of the model, in plain JavaScript: sparsevae/report/decoder_program.py writes its steps.
"use strict";
const decoder = (() => {
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 0) return sign * fraction * 2 ** -24;
    return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
  }

  function unpacked(content) {
    const raw = bytes(content.values), whole = new Float32Array(content.n);
    const value = (k) => half(raw[2 * k] | (raw[2 * k + 1] << 8));
    if (!content.bits) {
      for (let k = 0; k < content.n; k++) whole[k] = value(k);
      return whole;
    }
    const bits = bytes(content.bits);
    for (let k = 0, next = 0; k < content.n; k++) if (bits[k >> 3] & (1 << (k & 7))) whole[k] = value(next++);
    return whole;
  }

  // Each step takes {data, shape} without the batch and gives the same.
  const steps = {
    reshape: (step) => (x) => ({data: x.data, shape: step.shape}),
    activation: (step) => {
      const f = {linear: (v) => v, relu: (v) => Math.max(v, 0), tanh: Math.tanh,
                 sigmoid: (v) => 1 / (1 + Math.exp(-v))}[step.activation];
      return (x) => ({data: step.activation === "linear" ? x.data : x.data.map(f), shape: x.shape});
    },
    dense: (step) => {
      const kernel = unpacked(step.kernel), [nIn, nOut] = step.shape;
      const bias = step.bias ? unpacked(step.bias) : new Float32Array(nOut);
      return (x) => {
        const rows = x.data.length / nIn, out = new Float32Array(rows * nOut);
        for (let r = 0; r < rows; r++) {
          const row = out.subarray(r * nOut, (r + 1) * nOut);
          row.set(bias);
          for (let i = 0; i < nIn; i++) {
            const v = x.data[r * nIn + i];
            if (v) for (let o = 0, k = i * nOut; o < nOut; o++, k++) row[o] += v * kernel[k];
          }
        }
        return {data: out, shape: [...x.shape.slice(0, -1), nOut]};
      };
    },
    transposed: (step) => {  // kernel (height, width, out, in)
      const kernel = unpacked(step.kernel), [kh, kw, nOut, nIn] = step.shape, [sy, sx] = step.strides;
      const bias = step.bias ? unpacked(step.bias) : new Float32Array(nOut), same = step.padding === "same";
      const size = (n, s, k) => (same ? n * s : n * s + Math.max(k - s, 0));
      const before = (n, s, k) => (same ? Math.floor(Math.max((n - 1) * s + k - n * s, 0) / 2) : 0);
      return (x) => {
        const [height, width] = x.shape, h = size(height, sy, kh), w = size(width, sx, kw);
        const top = before(height, sy, kh), left = before(width, sx, kw);
        const out = new Float32Array(h * w * nOut);
        for (let p = 0; p < out.length; p += nOut) out.set(bias, p);
        const used = new Int32Array(nIn);
        for (let y = 0; y < height; y++) for (let c = 0; c < width; c++) {
          const from = (y * width + c) * nIn;
          let n = 0;
          for (let i = 0; i < nIn; i++) if (x.data[from + i]) used[n++] = i;
          for (let a = 0; n && a < kh; a++) {
            const oy = y * sy + a - top;
            if (oy < 0 || oy >= h) continue;
            for (let b = 0; b < kw; b++) {
              const ox = c * sx + b - left;
              if (ox < 0 || ox >= w) continue;
              const to = (oy * w + ox) * nOut, place = (a * kw + b) * nOut;
              for (let o = 0; o < nOut; o++) {
                const row = (place + o) * nIn;
                let sum = 0;
                for (let u = 0; u < n; u++) sum += x.data[from + used[u]] * kernel[row + used[u]];
                out[to + o] += sum;
              }
            }
          }
        }
        return {data: out, shape: [h, w, nOut]};
      };
    },
    mix: (step) => {  // bk,kj->bjk
      const kernel = unpacked(step.kernel), [nIn, nOut] = step.shape;
      return (x) => {
        const out = new Float32Array(nOut * nIn);
        for (let j = 0; j < nOut; j++) for (let k = 0; k < nIn; k++) out[j * nIn + k] = x.data[k] * kernel[k * nOut + j];
        return {data: out, shape: [nOut, nIn]};
      };
    },
    read: (step) => {  // bjh,hj->bj
      const kernel = unpacked(step.kernel), [nIn, nOut] = step.shape;
      const bias = step.bias ? unpacked(step.bias) : new Float32Array(nOut);
      return (x) => {
        const out = Float32Array.from(bias);
        for (let j = 0; j < nOut; j++) for (let h = 0; h < nIn; h++) out[j] += x.data[j * nIn + h] * kernel[h * nOut + j];
        return {data: out, shape: [nOut]};
      };
    },
  };

  /** A function from a code to a mean image, a Float32Array in rows of pixels. */
  function decoderOf(program) {
    const ready = program.steps.map((step) => steps[step.kind](step));
    return (code) => ready.reduce((x, step) => step(x), {data: Float32Array.from(code), shape: [program.latent_dim]}).data;
  }
  return {decoderOf, bytes};
})();
