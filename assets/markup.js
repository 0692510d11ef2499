// Draws what layouts/markup.py sends: one component, however many elements it has. Everything becomes React elements, so
// that a name from outside is text whatever it contains. Unchanged elements are not touched: focus, selection, scroll
// position and open menus stay.
(function () {
  "use strict";
  const { Fragment, createElement, useEffect, useLayoutEffect, useRef, useState } = window.React;
  const MAX_ROWS = 2000; // drawn rows in memory: an answer may refer to those that were drawn when it was requested
  const FOCUSABLE = "button:not(:disabled), a[href], summary";

  /**
   * Draws the content of a menu only while it is open: two hundred rules have some thousand buttons.
   * @param {{ children?: React.ReactNode }} properties
   */
  function Disclosure({ children, ...properties }) {
    const ref = useRef(/** @type {HTMLElement | null} */ (null));
    const [isOpen, setOpen] = useState(false);
    const [summary, ...rest] = /** @type {React.ReactNode[]} */ (children);
    const onToggle = (/** @type {React.SyntheticEvent<HTMLDetailsElement>} */ event) =>
      setOpen(/** @type {HTMLDetailsElement} */ (event.target).open);
    useEffect(() => {
      if (isOpen) ref.current?.lastElementChild?.scrollIntoView({ block: "nearest" });
    }, [isOpen]);
    return createElement("details", { ...properties, ref, onToggle }, summary, ...(isOpen ? rest : []));
  }

  /** @type {Record<string, typeof Fragment | typeof Disclosure>} */
  const COMPONENTS = { "": Fragment, details: Disclosure };

  /**
   * The root element; null if a row is neither sent nor drawn. A row that is drawn already is the same element as before,
   * which React skips.
   * @param {MarkupContent} content
   * @param {Map<string, React.ReactNode>} drawn elements of rows by digest
   */
  function elementOf({ known, rows }, drawn) {
    let isWhole = true;
    /** @type {(element: MarkupElement) => React.ReactNode} */
    const element = ([tag, properties, ...children]) =>
      createElement(COMPONENTS[tag] || tag, properties, ...children.map(node));
    /** @type {(node: MarkupNode) => React.ReactNode} */
    const node = (one) =>
      Array.isArray(one) ? element(one) : one !== null && typeof one === "object" ? row(one.row) : one;
    /** @type {(digest: string) => React.ReactNode} */
    const row = (digest) => {
      if (!drawn.has(digest) && rows[digest]) drawn.set(digest, element(rows[digest]));
      isWhole = isWhole && drawn.has(digest);
      return drawn.get(digest);
    };
    const root = row(/** @type {string} */ (known.at(-1)));
    if (!isWhole) drawn.clear(); // elements made now may lack parts
    if (drawn.size > MAX_ROWS)
      for (const digest of [...drawn.keys()]) if (!known.includes(digest)) drawn.delete(digest);
    return isWhole ? root : null;
  }

  // ---- clicks
  let presses = 0;

  /**
   * Follows a link as Dash's own do: the page changes without being loaded again.
   * @param {React.MouseEvent} event
   * @param {HTMLAnchorElement} link
   */
  function follow(event, link) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    window.history.pushState({}, "", link.href);
    window.dispatchEvent(new CustomEvent("_dashprivate_pushstate"));
    window.scrollTo(0, 0);
  }

  /**
   * The data attributes of a button and of the elements around it, which say in which row it is.
   * @param {HTMLElement} button
   * @returns {MarkupAction}
   */
  function actionOf(button) {
    /** @type {MarkupAction} */
    let action = { press: ++presses };
    for (let one = /** @type {HTMLElement | null} */ (button); one; one = one.parentElement)
      action = { ...one.dataset, ...action };
    return action;
  }

  // ---- focus: an update may remove the element that has it, such as a button that is no longer needed

  /**
   * @param {Element | null} element
   * @param {Element | null} root
   */
  function withAncestors(element, root) {
    const found = [];
    for (let one = element; one && root && root.contains(one); one = one.parentElement) found.push(one);
    return found;
  }

  /** @param {Element[]} path */
  function restoreFocus([focused, ...around]) {
    if (!focused || focused.isConnected) return;
    const place = around.find((one) => one.isConnected);
    const next = place && /** @type {HTMLElement | null} */ (place.querySelector(FOCUSABLE));
    if (next) next.focus({ preventScroll: true });
  }

  /** @param {MarkupProperties} properties */
  function Markup({ id, className, role, content, known, setProps, ...others }) {
    const root = useRef(/** @type {HTMLElement | null} */ (null));
    const drawn = useRef(/** @type {Map<string, React.ReactNode>} */ (new Map()));
    const latest = useRef(/** @type {React.ReactNode} */ (null));
    const aria = Object.entries(others).filter(([name]) => name.startsWith("aria-"));
    const focused = withAncestors(document.activeElement, root.current);

    const element = elementOf(content, drawn.current);
    if (element) latest.current = element;

    useLayoutEffect(() => restoreFocus(focused));
    useEffect(() => {
      if (!element)
        setProps({ known: [] }); // the next update then brings all rows
      else if (content.known !== known) setProps({ known: content.known });
    }, [content]);

    const onClick = (/** @type {React.MouseEvent} */ event) => {
      const target = /** @type {Element} */ (event.target);
      const button = /** @type {HTMLElement | null} */ (target.closest("[data-act], a[data-link]"));
      if (!button) return;
      if (button.dataset.act) setProps({ action: actionOf(button) });
      else follow(event, /** @type {HTMLAnchorElement} */ (button));
    };
    const properties = { id, className, role, ref: root, onClick, ...Object.fromEntries(aria) };
    return createElement("div", properties, latest.current);
  }

  /**
   * Content that is made in the browser, as layouts.markup.content makes it on the server.
   * @type {Window["trackerMarkup"]["contentOf"]}
   */
  function contentOf(nodes) {
    const text = JSON.stringify(nodes);
    return { known: [text], rows: { [text]: ["", {}, ...nodes] } };
  }

  window.trackerMarkup = { contentOf };
  window.data_tracker = { Markup };
})();
