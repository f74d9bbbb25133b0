const show = {dataset: showDataset, run: showRun, sweep: showSweep}[content.kind];
main.replaceChildren();
Promise.resolve().then(show).then(() => { document.body.dataset.ready = "true"; }, (error) => {
  main.append(el("div.card.verdict.bad", {role: "alert"}, el("h2", {}, "This page cannot be drawn here"), el("p", {}, `${error}. It needs a browser of 2023 or later.`)));
  document.body.dataset.ready = "false";
});
