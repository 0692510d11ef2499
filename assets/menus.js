// Menus are details elements of the class "menu": what one opens is closed by a click elsewhere, by Escape, and by what
// was chosen in it; the arrow keys lead through the buttons that it holds.
(function () {
  "use strict";
  const WAYS = { ArrowDown: 1, ArrowUp: -1 };

  // Focus that was within goes back to what opened it: what a closed menu held is gone.
  function close(menu) {
    if (menu.contains(document.activeElement)) menu.querySelector("summary").focus();
    menu.open = false;
  }

  function closeOthers(target) {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(target)) close(menu);
  }

  function step(menu, way) {
    const stops = [menu.querySelector("summary"), ...menu.querySelectorAll("button:not(:disabled)")];
    const place = stops.indexOf(document.activeElement) + way;
    stops[(place + stops.length) % stops.length].focus();
  }

  // The menu in which an event happened, if it did in one.
  function menuOf(event) {
    return event.target.closest && event.target.closest("details.menu[open]");
  }

  document.addEventListener("pointerdown", (event) => closeOthers(event.target));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return closeOthers(null);
    const menu = WAYS[event.key] && menuOf(event);
    if (!menu || !menu.querySelector("button")) return;
    event.preventDefault();
    step(menu, WAYS[event.key]);
  });
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const menu = target.closest("[data-act]") && menuOf(event);
    if (menu) close(menu);
  });
})();
