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

// "/" leads to the search box, as on other consoles.
document.addEventListener("keydown", (event) => {
  const field = document.getElementById("q");
  if (event.key === "/" && field && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) {
    event.preventDefault();
    field.focus();
  }
});
