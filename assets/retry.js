// What could not be updated, and the button that tries it again. The server tells of its own errors (callbacks/shell.py);
// that it does not answer at all is seen here.
(function () {
  "use strict";
  const ids = window.trackerIds;
  const nothing = () => window.dash_clientside.no_update;
  const UPDATES = window.trackerPaths.at("/_dash-update-component");
  const SILENCE = "The server did not answer. This is tried again by itself when it does.";

  let unanswered = []; // what was asked for in vain, as "id.property"

  function again(changed) {
    if (!changed || !changed.length) return window.location.reload();
    for (const name of changed) {
      const [id, property] = [name.slice(0, name.lastIndexOf(".")), name.slice(name.lastIndexOf(".") + 1)];
      const component = window.dash_component_api.getLayout(id);
      // To be told its value once more is what a callback takes for a change.
      if (component) window.dash_clientside.set_props(id, { [property]: component.props[property] });
    }
  }

  function retry(_clicks, failed) {
    unanswered = [];
    again(failed);
    return false;
  }

  function recover(live) {
    if (!unanswered.length || !live || live.connection !== "ok") return nothing();
    const changed = unanswered;
    unanswered = [];
    again(changed);
    return false;
  }

  function note(options) {
    const changed = JSON.parse(options.body).changedPropIds || [];
    unanswered = [...new Set([...unanswered, ...changed])];
    window.dash_clientside.set_props(ids.failed, { data: unanswered });
    window.dash_clientside.set_props(ids.toastText, { children: SILENCE });
    window.dash_clientside.set_props(ids.toast, { is_open: true });
  }

  const fetchAsEver = window.fetch;
  window.fetch = async function (address, options) {
    if (typeof address !== "string" || !address.includes(UPDATES)) return fetchAsEver.call(window, address, options);
    try {
      const answer = await fetchAsEver.call(window, address, options);
      if (answer.status >= 500) note(options);
      return answer;
    } catch (error) {
      if (!(error instanceof DOMException && error.name === "AbortError")) note(options);
      throw error;
    }
  };

  window.dash_clientside = window.dash_clientside || {};
  window.dash_clientside.tracker = Object.assign(window.dash_clientside.tracker || {}, { retry, recover });
})();
