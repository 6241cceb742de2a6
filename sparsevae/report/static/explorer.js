// Sliders that move latents; the decoder, or pictures made beforehand, show what comes of it.
"use strict";
{
  const data = dataOf("explorer");
  if (data) explore(data);

  function explore(data) {
    const canvas = document.getElementById("decoded"), [height, width, channels] = data.image_shape;
    Object.assign(canvas, {width, height});
    const context = canvas.getContext("2d");
    const inputs = all(".slider input"), starts = all("[data-start]");
    const code = new Float32Array(inputs.length);
    let start = 0, moved = null;
    const show = data.program ? drawn(decoder.decoderOf(data.program)) : sheets(data);

    function drawn(decode) {
      return () => {
        const pixels = decode(code), image = context.createImageData(width, height);
        for (let p = 0; p < width * height; p++) {
          for (let c = 0; c < 3; c++) image.data[4 * p + c] = 255 * pixels[p * channels + (channels === 3 ? c : 0)];
          image.data[4 * p + 3] = 255;
        }
        context.putImageData(image, 0, 0);
      };
    }

    function sheets({grid}) {
      const images = grid.sheets.map((address) => Object.assign(new Image(), {src: address}));
      const nearest = (value) => grid.values.reduce((best, v, k) => (Math.abs(v - value) < Math.abs(grid.values[best] - value) ? k : best), 0);
      return () => {
        const image = images[Math.min(start, images.length - 1)];
        const latent = moved ?? 0, column = nearest(code[latent]);
        const draw = () => context.drawImage(image, column * width, latent * height, width, height, 0, 0, width, height);
        image.complete ? draw() : image.addEventListener("load", draw, {once: true});
      };
    }

    function update() {
      for (const input of inputs) {
        const value = code[Number(input.dataset.latent)];
        input.value = value;
        input.nextElementSibling.value = value.toFixed(2);
      }
      show();
      canvas.setAttribute("aria-label", `Decoded picture of the code ${[...code].map((v) => v.toFixed(1)).join(", ")}`);
    }

    const begin = (k) => {
      start = k;
      moved = null;
      code.set(data.starts[k].code);
      starts.forEach((button, i) => button.setAttribute("aria-pressed", i === k));
      update();
    };
    for (const input of inputs) input.addEventListener("input", () => {
      const latent = Number(input.dataset.latent);
      if (data.grid) code.set(data.starts[start].code);  // one latent at a time
      moved = latent;
      code[latent] = Number(input.value);
      update();
    });
    starts.forEach((button, k) => {
      if (data.grid && k >= data.grid.sheets.length) button.hidden = true;
      button.addEventListener("click", () => begin(k));
    });
    document.getElementById("zero").addEventListener("click", () => begin(0));
    begin(data.starts.length > 1 ? 1 : 0);
  }
}
