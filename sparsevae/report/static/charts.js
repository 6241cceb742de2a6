// Draws the charts, and lets them be zoomed by mouse, buttons and keys.
"use strict";
const charts = [];
{
  const axis = {labelColor: "currentColor", titleColor: "currentColor", domainColor: "var(--muted)", tickColor: "var(--muted)",
                gridColor: "var(--line)", titleFontWeight: "normal", labelFontSize: 12, titleFontSize: 12};
  const config = {axis, legend: {labelColor: "currentColor", labelFontSize: 12, symbolStrokeWidth: 3},
                  view: {stroke: null}, font: 'system-ui, "DejaVu Sans", sans-serif', background: null, aria: false};
  const specs = dataOf("charts") || [];
  for (const figure of all("figure.chart")) draw(figure, specs[Number(figure.dataset.chart)]);

  async function draw(figure, spec) {
    const place = figure.querySelector(".drawing"), inner = document.createElement("div");
    inner.style.width = "100%";
    inner.setAttribute("aria-hidden", "true");  // the place has the chart in words
    place.append(inner);
    const {view} = await vegaEmbed(inner, spec, {actions: false, renderer: "svg", config, tooltip: {theme: "custom"}});
    charts.push(view);
    const choose = document.querySelector(`[data-measure="${figure.dataset.chart}"]`);
    choose?.addEventListener("change", () => view.signal("measure", choose.value).runAsync());
    const series = document.querySelector(`[data-series="${figure.dataset.chart}"]`);
    series?.addEventListener("change", () => {
      const chosen = all("input:checked", series).map((box) => box.value);
      place.classList.toggle("nothing", !chosen.length);  // of no values no axis can be drawn
      if (chosen.length) view.signal("shown", chosen).runAsync();
    });
    if (spec.params?.some((param) => param.name === "x_from")) zoomable(figure, place, view);
    figure.dataset.drawn = "yes";
  }

  function zoomable(figure, place, view) {
    const ends = () => [view.signal("x_from"), view.signal("x_to")];
    const whole = [view.data("curves").reduce((first, row) => Math.min(first, row.step), ends()[0]), ends()[1]];
    const show = (a, b) => {
      const width = Math.max(b - a, (whole[1] - whole[0]) / 200);
      const low = Math.min(Math.max(a, whole[0]), whole[1] - Math.min(width, whole[1] - whole[0]));
      view.signal("x_from", low).signal("x_to", Math.min(low + width, whole[1])).runAsync();
    };
    const moves = {
      in: ([a, b]) => [a + (b - a) / 4, b - (b - a) / 4], out: ([a, b]) => [a - (b - a) / 2, b + (b - a) / 2],
      left: ([a, b]) => [a - (b - a) / 4, b - (b - a) / 4], right: ([a, b]) => [a + (b - a) / 4, b + (b - a) / 4], all: () => whole,
    };
    const keys = {"+": "in", "=": "in", "-": "out", ArrowLeft: "left", ArrowRight: "right", 0: "all"};
    for (const button of all("[data-zoom]", figure)) button.addEventListener("click", () => show(...moves[button.dataset.zoom](ends())));
    place.addEventListener("keydown", (event) => {
      const move = keys[event.key];
      if (!move || event.ctrlKey || event.metaKey) return;
      event.preventDefault();
      show(...moves[move](ends()));
    });
    place.addEventListener("dblclick", () => show(...whole));
    brush(place, view, show);
  }

  function brush(place, view, show) {
    let from = null, mark = null;
    const at = (event) => {  // of the plot, between its ends
      const box = place.querySelector("svg").getBoundingClientRect(), [width] = view.scale("x").range().slice(-1);
      const scale = box.width / (view._viewWidth || box.width) || 1;
      const px = (event.clientX - box.left) / scale - view.origin()[0];
      return [Math.min(Math.max(px, 0), width), event.clientX - place.getBoundingClientRect().left];
    };
    place.addEventListener("pointerdown", (event) => {
      if (event.button === 0 && event.pointerType === "mouse") from = at(event);
    });
    addEventListener("pointermove", (event) => {
      if (!from) return;
      mark ??= Object.assign(document.createElement("div"), {className: "brush"});
      place.append(mark);
      const now = at(event)[1];
      mark.style.left = `${Math.min(now, from[1])}px`;
      mark.style.width = `${Math.abs(now - from[1])}px`;
    });
    addEventListener("pointerup", (event) => {
      if (!from) return;
      const pixels = [from[0], at(event)[0]].sort((a, b) => a - b), scale = view.scale("x");
      if (pixels[1] - pixels[0] > 6) show(...pixels.map((px) => scale.invert(px)));
      mark?.remove();
      from = mark = null;
    });
  }
}
