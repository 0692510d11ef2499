// Menus are details elements of the class "menu". A click elsewhere, Escape, or a choice closes an open one; the arrow
// keys move through its buttons.
(function () {
  "use strict";
  /** @type {Record<string, number>} */
  const STEPS = { ArrowDown: 1, ArrowUp: -1 };
  const OPEN = "details.menu[open]";

  /** @param {HTMLDetailsElement} menu */
  const summaryOf = (menu) => /** @type {HTMLElement} */ (menu.querySelector("summary"));

  /**
   * Closes a menu. Focus within it goes to its summary, for its content is removed.
   * @param {HTMLDetailsElement} menu
   */
  function close(menu) {
    if (menu.contains(document.activeElement)) summaryOf(menu).focus();
    menu.open = false;
  }

  /** @param {Node | null} target */
  function closeOthers(target) {
    /** @type {NodeListOf<HTMLDetailsElement>} */
    const open = document.querySelectorAll(OPEN);
    for (const menu of open) if (!menu.contains(target)) close(menu);
  }

  /**
   * @param {HTMLDetailsElement} menu
   * @param {number} step
   */
  function moveFocus(menu, step) {
    /** @type {NodeListOf<HTMLButtonElement>} */
    const buttons = menu.querySelectorAll("button:not(:disabled)");
    const stops = [summaryOf(menu), ...buttons];
    const next = stops.indexOf(/** @type {HTMLElement} */ (document.activeElement)) + step;
    stops[(next + stops.length) % stops.length].focus();
  }

  /**
   * The open menu in which an event happened.
   * @param {Event} event
   * @returns {HTMLDetailsElement | null}
   */
  function menuOf({ target }) {
    return target instanceof Element ? target.closest(OPEN) : null;
  }

  document.addEventListener("pointerdown", (event) => closeOthers(/** @type {Node} */ (event.target)));
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") return closeOthers(null);
    const menu = STEPS[event.key] ? menuOf(event) : null;
    if (!menu || !menu.querySelector("button")) return;
    event.preventDefault();
    moveFocus(menu, STEPS[event.key]);
  });
  document.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const menu = target.closest("[data-act]") && menuOf(event);
    if (menu) close(menu);
  });
})();
