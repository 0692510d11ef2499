// Sets the theme that was chosen in the dashboard, before anything is painted.
(function () {
  "use strict";
  const system = window.matchMedia("(prefers-color-scheme: dark)");

  function setTheme() {
    let choice = "system";
    try {
      choice = localStorage.getItem("theme") || choice;
    } catch {
      // Storage can be forbidden: then the system decides.
    }
    const isDark = choice === "dark" || (choice !== "light" && system.matches);
    document.documentElement.classList.toggle("dark-mode", isDark);
  }

  setTheme();
  system.addEventListener("change", setTheme);
})();
