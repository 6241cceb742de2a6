// A click on a latent draws its channels by layer and its pixels.
"use strict";
{
  const data = dataOf("wiring");
  if (data) wire(data);

  function wire({layers, latents, image_shape: [height, width]}) {
    const svg = document.getElementById("diagram"), space = "http://www.w3.org/2000/svg";
    const by = new Map(latents.map((one) => [one.latent, one]));
    for (const button of all(".pick")) button.addEventListener("click", () => choose(Number(button.dataset.latent)));
    const used = [...latents].sort((a, b) => b.share - a.share)[0];
    if (used) choose(used.latent);

    function make(name, attributes, parent) {
      const node = document.createElementNS(space, name);
      for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
      parent.append(node);
      return node;
    }

    function choose(latent) {
      const one = by.get(latent);
      for (const button of all(".pick")) button.setAttribute("aria-pressed", Number(button.dataset.latent) === latent);
      for (const row of all(".reached tbody tr")) row.classList.toggle("chosen", Number(row.dataset.latent) === latent);
      diagram(one);
      map(one);
      const lines = layers.map((layer, k) => [layer, one.reached[k], one.channels[k]]).filter(([, n]) => n);
      const list = document.createElement("ul");
      for (const [layer, n, channels] of lines) {
        const item = document.createElement("li"), more = n > channels.length ? ", …" : "";
        item.textContent = `${layer.layer.startsWith(layer.network) ? "" : layer.network + " "}${layer.layer}: ${n} of ${layer.n}; strongest ${channels.map(([c]) => c).join(", ")}${more}`;
        list.append(item);
      }
      document.getElementById("wired-text").replaceChildren(list);
    }

    function diagram(one) {
      svg.replaceChildren();
      const columns = layers.map((_, k) => k).filter((k) => one.channels[k].length);
      const step = 78, rows = Math.max(1, ...columns.map((k) => one.channels[k].length)), tall = rows * 20;
      const w = Math.max(columns.length * step, 200), h = tall + 46, places = new Map();
      for (const [name, value] of Object.entries({width: w, height: h, viewBox: `0 0 ${w} ${h}`})) svg.setAttribute(name, value);
      Object.assign(svg.style, {maxWidth: `${1.15 * w}px`, minWidth: `${Math.min(w, 860)}px`});
      svg.setAttribute("aria-label", `Latent ${one.latent}: ` + columns.map((k) => `${layers[k].layer} ${one.reached[k]} of ${layers[k].n}`).join(", "));
      columns.forEach((k, column) => {
        const channels = one.channels[k], gap = tall / channels.length;
        channels.forEach(([channel], row) => places.set(`${k} ${channel}`, [column * step + step / 2, 34 + gap * (row + 0.5)]));
      });
      for (const [a, from, b, to, strength] of one.links) {
        const [p, q] = [places.get(`${a} ${from}`), places.get(`${b} ${to}`)];
        if (p && q) make("line", {x1: p[0], y1: p[1], x2: q[0], y2: q[1], "stroke-width": 0.4 + 2 * strength, "stroke-opacity": 0.1 + 0.6 * strength}, svg);
      }
      columns.forEach((k, column) => {
        const {layer, network} = layers[k], isLatent = network === "decoder" && layer === "input";
        const name = isLatent ? `latent ${one.latent}` : layer.replace(/^(encoder|decoder)_/, "");
        make("text", {x: column * step + step / 2, y: 12, "text-anchor": "middle"}, svg).textContent = name;
        make("text", {x: column * step + step / 2, y: 24, "text-anchor": "middle"}, svg).textContent = isLatent ? "" : `${one.reached[k]} of ${layers[k].n}`;
        for (const [channel, strength] of one.channels[k]) {
          const [x, y] = places.get(`${k} ${channel}`);
          const node = make("circle", {cx: x, cy: y, r: 2.5 + 4.5 * Math.sqrt(strength), class: isLatent ? "latent" : ""}, svg);
          make("title", {}, node).textContent = `${layer}, channel ${channel}: strength ${strength}`;
          if (!isLatent && layers[k].n > 1) make("text", {x: x + 9, y: y + 3.5}, svg).textContent = channel;
        }
      });
    }

    function map(one) {
      const canvas = document.getElementById("map"), values = decoder.bytes(one.map);
      Object.assign(canvas, {width, height});
      const context = canvas.getContext("2d"), image = context.createImageData(width, height);
      values.forEach((value, p) => image.data.set([200, 80, 0, value], 4 * p));
      context.putImageData(image, 0, 0);
      const text = `Pixels that answer to latent ${one.latent}: ${one.pixels} of ${width * height}; by open paths it could reach ${one.reachable}. ` +
        `Its strongest pixel answers ${Math.round(100 * one.share)} % as much as the strongest of all.`;
      canvas.setAttribute("aria-label", text);
      document.getElementById("map-text").textContent = text;
    }
  }
}
