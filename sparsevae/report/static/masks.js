// Masks as pictures.
"use strict";
{
  const masks = dataOf("masks") || [];
  for (const canvas of all("[data-mask]")) {
    const {bytes, shape: [height, width]} = masks[Number(canvas.dataset.mask)], values = decoder.bytes(bytes);
    Object.assign(canvas, {width, height});
    const context = canvas.getContext("2d"), image = context.createImageData(width, height);
    values.forEach((value, p) => image.data.set([40, 128, 214, value], 4 * p));
    context.putImageData(image, 0, 0);
    const scale = Math.max(1, Math.min(150 / Math.max(height, width), 12));  // thin masks stay at least 10 px wide
    canvas.style.width = `${Math.max(width * scale, 10)}px`;
    canvas.style.height = `${Math.max(height * scale, 10)}px`;
  }
}
