// Times are written in UTC; whoever points at one reads their own.
"use strict";

const nearby = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function addLocalTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    time.title = nearby.format(new Date(time.dateTime));
  }
}

addLocalTimes(document);
new MutationObserver(() => addLocalTimes(document)).observe(document.body, { childList: true, subtree: true });

// Where the pages do not fit side by side, the one that is open is in sight.
document.querySelector("nav [aria-current]")?.scrollIntoView({ inline: "center", block: "nearest" });

// The box takes a whole bounce, and Enter asks as in any search box.
const box = document.getElementById("q");
if (box) {
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      box.form.requestSubmit();
    }
  });
}

// "/" leads to the search box, as on other consoles.
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && box && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    box.focus();
  }
});

// A chart is drawn of what its element holds; its numbers stand beside it as a table.
const colours = ["good", "bad", "accent", "wait", "soft"];

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function draw(place) {
  const { at, counts } = JSON.parse(place.dataset.chart);
  const named = { delivered: "good", refused: "bad", accepted: "accent", waiting: "wait", deferred: "wait", bounced: "soft", failed: "soft" };
  const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { stroke: colour("line"), width: 1 } };
  const lines = Object.keys(counts).map((name, place) => ({
    label: name, stroke: colour(named[name] || colours[place % colours.length]), width: 2, points: { show: false },
  }));
  place.replaceChildren();
  return new uPlot({
    width: place.clientWidth, height: 240, tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    series: [{ value: "{YYYY}-{MM}-{DD} {HH}:{mm}" }, ...lines],
    axes: [{ ...axis, values: [[3600, "{HH}:{mm}"], [60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]] }, { ...axis, size: 45 }],
    scales: { y: { range: (_, low, high) => [0, Math.max(5, high * 1.05)] } },
    cursor: { drag: { x: false, y: false } },
  }, [at, ...Object.values(counts)], place);
}

if (window.uPlot) {
  const places = [...document.querySelectorAll("[data-chart]")];
  const drawn = new Map(places.map((place) => [place, draw(place)]));
  addEventListener("resize", () => drawn.forEach((chart, place) => chart.setSize({ width: place.clientWidth, height: 240 })));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => places.forEach((place) => drawn.set(place, draw(place))));
}
