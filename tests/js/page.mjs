// A stub of a page for tests of the scripts. Each script is run with stubs of the browser, in the order in which Dash
// loads them. What needs a real page is tested in tests/browser.
import { readFileSync } from "node:fs";
import { compileFunction } from "node:vm";

const ASSETS = new URL("../../assets/", import.meta.url);
const NOTHING = Symbol("no_update");

function storage() {
  const stored = new Map();
  return {
    getItem: (name) => stored.get(name) ?? null,
    setItem: (name, value) => void stored.set(name, value),
  };
}

// An event target: `send` is the event. A test may add elements by their ids.
function target(elements = {}) {
  const listeners = new Map();
  return {
    elements,
    getElementById: (id) => elements[id] ?? null,
    addEventListener: (name, hear) => listeners.set(name, [...(listeners.get(name) ?? []), hear]),
    send: (name, event = {}) => (listeners.get(name) ?? []).forEach((hear) => hear(event)),
  };
}

function dash() {
  const props = {}; // what was set, by id
  return {
    no_update: NOTHING,
    callback_context: { triggered: [], inputs_list: [] },
    set_props: (id, changes) => void (props[id] = { ...props[id], ...changes }),
    props,
  };
}

/**
 * The window in which `scripts` (paths below assets/) have been run. `parts` are stubs of the browser (document, fetch,
 * location and so on), `ranking` stubs of those parts of the ranking that are not loaded.
 */
export function load(scripts, { ranking, ...parts } = {}) {
  const browser = {
    document: target(),
    localStorage: storage(),
    location: { pathname: "/", search: "", hash: "" },
    fetch: () => Promise.reject(new Error("no network")),
    setInterval: () => 0,
    MutationObserver: class {
      observe() {}
    },
    ...parts,
  };
  const window = Object.assign(target(), browser, { dash_clientside: dash(), innerWidth: 1440 });
  if (ranking) window.trackerRanking = ranking;
  for (const script of ["0-dash.js", "0-paths.js", ...scripts]) {
    const text = readFileSync(new URL(script, ASSETS), "utf8");
    const names = ["window", ...Object.keys(browser)];
    compileFunction(text, names, { filename: `assets/${script}` })(window, ...Object.values(browser));
  }
  return window;
}

/** The functions registered as Dash's callbacks. */
export const callbacks = (window) => window.dash_clientside.tracker;

/** Whether a callback returned no update. */
export const isNothing = (value) => value === NOTHING;

/** A stub of fetch that gives `answers` one after the other, and records the requests in `asked`. */
export function server(...answers) {
  const asked = [];
  const fetch = async (address, options) => {
    asked.push({ address, options });
    const answer = answers.shift();
    if (answer instanceof Error) throw answer;
    const { status = 200, body = null, headers = {} } = answer;
    return new Response(body === null ? null : JSON.stringify(body), { status, headers });
  };
  return Object.assign(fetch, { asked });
}
