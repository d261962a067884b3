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
