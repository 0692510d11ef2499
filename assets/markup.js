// Draws what layouts/markup.py sends: one component, however many elements it has. All becomes React elements, so that
// a name from outside is text whatever it contains, and what has not changed is not touched: focus, selection, scroll
// position and what is open stay.
(function () {
  "use strict";
  const { Fragment, createElement, useEffect, useLayoutEffect, useRef, useState } = window.React;
  const MAX_ROWS = 2000; // that are kept: an answer may refer to what was drawn when it was asked for
  const FOCUSABLE = "button:not(:disabled), a[href], summary";

  // What a closed menu holds is drawn once it is opened: for two hundred rules that is some thousand buttons.
  function Disclosure({ children, ...properties }) {
    const ref = useRef(/** @type {HTMLElement | null} */ (null));
    const [isOpen, setOpen] = useState(false);
    const [summary, ...rest] = children;
    const onToggle = (event) => setOpen(event.target.open);
    useEffect(() => {
      if (isOpen) ref.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
    }, [isOpen]);
    return createElement("details", { ...properties, ref, onToggle }, summary, ...(isOpen ? rest : []));
  }

  const SPECIAL = { "": Fragment, details: Disclosure };

  // What is to be drawn, null where a row is neither sent nor drawn yet. A row that is drawn already is the same element
  // as before, over which React passes.
  function elementOf({ known, rows }, drawn) {
    let isWhole = true;
    /** @type {(node: any[]) => any} */
    const element = ([tag, properties, ...children]) =>
      createElement(SPECIAL[tag] || tag, properties, ...children.map(part));
    const part = (one) =>
      Array.isArray(one) ? element(one) : one !== null && typeof one === "object" ? row(one.row) : one;
    const row = (digest) => {
      if (!drawn.has(digest) && rows[digest]) drawn.set(digest, element(rows[digest]));
      isWhole = isWhole && drawn.has(digest);
      return drawn.get(digest);
    };
    const root = row(known.at(-1));
    if (!isWhole) drawn.clear(); // of what was made now there may be parts missing
    if (drawn.size > MAX_ROWS)
      for (const digest of [...drawn.keys()]) if (!known.includes(digest)) drawn.delete(digest);
    return isWhole ? root : null;
  }

  // ---- what is done in it
  let presses = 0;

  // As Dash's own links do: the page changes, and is not loaded again.
  function follow(event, link) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    window.history.pushState({}, "", link.href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }

  // What a button says, and what the elements around it say of themselves: in which row of what it stands.
  function actionOf(button) {
    let told = { press: ++presses };
    for (let one = button; one; one = one.parentElement) told = { ...one.dataset, ...told };
    return told;
  }

  // ---- focus: what had it may be gone with an update, as a button that has done its work
  function withAncestors(element, root) {
    const found = [];
    for (let one = element; root && root.contains(one); one = one.parentElement) found.push(one);
    return found;
  }

  /** @param {any[]} path */
  function keepFocus([focused, ...around]) {
    if (!focused || focused.isConnected) return;
    const place = around.find((one) => one.isConnected);
    const next = place && place.querySelector(FOCUSABLE);
    if (next) next.focus({ preventScroll: true });
  }

  function Markup({ id, className, role, content, known, setProps, ...others }) {
    const root = useRef(null);
    const drawn = useRef(new Map());
    const latest = useRef(null);
    const aria = Object.entries(others).filter(([name]) => name.startsWith("aria-"));
    const focused = withAncestors(document.activeElement, root.current);

    const element = elementOf(content, drawn.current);
    if (element) latest.current = element;

    useLayoutEffect(() => keepFocus(focused));
    useEffect(() => {
      if (!element)
        setProps({ known: [] }); // so that the next update brings all
      else if (content.known !== known) setProps({ known: content.known });
    }, [content]);

    const onClick = (event) => {
      const button = event.target.closest("[data-act], a[data-link]");
      if (!button) return;
      if (button.dataset.act) setProps({ action: actionOf(button) });
      else follow(event, button);
    };
    const properties = { id, className, role, ref: root, onClick, ...Object.fromEntries(aria) };
    return createElement("div", properties, latest.current);
  }

  // Content that is made in the browser, as layouts.markup.content makes it on the server.
  function contentOf(nodes) {
    const text = JSON.stringify(nodes);
    return { known: [text], rows: { [text]: ["", {}, ...nodes] } };
  }

  window.trackerMarkup = { contentOf };
  window.data_tracker = { Markup };
})();
