// The theme that the dashboard was left in, before anything is painted.
(function () {
  "use strict";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function paint() {
    let choice = "system";
    try {
      choice = localStorage.getItem("theme") || choice;
    } catch {
      // storage can be forbidden; the system's theme is left
    }
    const dark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.classList.toggle("dark-mode", dark);
  }

  paint();
  system.addEventListener("change", paint);
})();
