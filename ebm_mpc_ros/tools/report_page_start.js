// The page itself: its figures and buttons.

const makers = { chart: chartFigure, strip: stripFigure, map: mapFigure };
for (const host of document.querySelectorAll("[data-figure]")) {
  const content = data.figures[Number(host.dataset.figure)];
  figures.push(makers[content.kind](host, content));
}
const buttons = {
  in: () => zoom(0.5), out: () => zoom(2), back: () => pan(-0.5), on: () => pan(0.5),
  all: () => setView(0, end),
};
for (const button of document.querySelectorAll("[data-do]"))
  button.addEventListener("click", buttons[button.dataset.do]);
for (const button of document.querySelectorAll("[data-at]"))
  button.addEventListener("click", () => goTo(Number(button.dataset.at)));
let width = 0, waiting = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(drawAll);
}).observe(document.body);
width = document.body.clientWidth;
drawAll();
